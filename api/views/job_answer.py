"""A job as an HTTP answer: 200 with predictions once it has ended, 202 with where and when to ask again before."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from flask import Response

from api.context import AppContext
from api.jobs.job_document import job_document, with_predictions
from api.jobs.results import as_json
from contract.job_record import JobState, JobStatus, Snapshot

SOONEST_S, LATEST_S = 1, 30


def accepted(snapshot: Snapshot, context: AppContext) -> Response:
    """202: the job is made, and this is where its answer will be."""
    found = job_document(snapshot.status, context.backpressure)
    answer = _json(json.dumps(found), 202)
    answer.headers["Location"] = f"/jobs/{snapshot.status.id}"
    answer.headers["Retry-After"] = _retry_after(found)
    return answer


def standing(snapshot: Snapshot, context: AppContext) -> Response:
    """200: the job as it stands, with its predictions once it has ended."""
    status = snapshot.status
    found = job_document(status, context.backpressure)
    if status.state.is_open:
        answer = _json(json.dumps(found))
        answer.headers["Retry-After"] = _retry_after(found)
        return answer
    if status.state is JobState.CANCELLED:
        return _json(json.dumps(found))
    if status.chunks == 1:
        return _json(with_predictions(found, as_json(snapshot.chunks[0], status)))
    return _streamed(with_predictions(found, "\0"), status, context)


def _retry_after(found: dict[str, Any]) -> str:
    left_s = found.get("queue", {}).get("seconds_left") or 0
    return str(min(max(math.ceil(left_s), SOONEST_S), LATEST_S))


def _json(text: str | Iterator[str], code: int = 200) -> Response:
    return Response(text, code, mimetype="application/json")


def _streamed(frame: str, status: JobStatus, context: AppContext) -> Response:
    """A big answer goes out page by page, is never held as a whole, and begins once its first page is read."""
    before, _, after = frame.partition("\0")
    pages = _pages(status, context)
    first = next(pages)

    def parts() -> Iterator[str]:
        yield before + first
        for page in pages:
            yield "," + page
        yield after

    return _json(parts())


def _pages(status: JobStatus, context: AppContext) -> Iterator[str]:
    """Comma-separated predictions of an ended job, several chunks at a time; all but the first outlast a restart."""
    step = max(context.settings.page_texts // context.settings.chunk_texts, 1)
    for first in range(0, status.chunks, step):
        numbers = range(first, min(first + step, status.chunks))
        patience_s = context.settings.max_wait_s if first else 0
        chunks = context.reader.read_patiently(status.ref, numbers, patience_s).chunks
        yield ",".join(as_json(chunk, status) for chunk in chunks)
