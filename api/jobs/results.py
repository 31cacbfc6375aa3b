"""Predictions out of stored chunks: as JSON text that is passed on undecoded, or one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from contract import stored_result
from contract.errors import GoneJob
from contract.job_record import JobState, JobStatus, Snapshot, StoredChunk

Row = dict[str, Any]
"""One text's answer: `contract.prediction.Prediction` or `Failed`, without the members that are None."""


def refuse_cancelled(status: JobStatus) -> None:
    """Raise GoneJob for a cancelled job: cancelling deletes what was predicted."""
    if status.state is JobState.CANCELLED:
        raise GoneJob(f"job {status.id} was cancelled, and its texts and results were deleted")


def available(snapshot: Snapshot) -> Iterator[StoredChunk]:
    """The chunks that are settled, up to the first that may still be predicted."""
    for chunk in snapshot.chunks:
        if chunk.result is None and chunk.state not in ("dead", "dropped"):
            return
        yield chunk


def as_json(chunk: StoredChunk, status: JobStatus) -> str:
    """A settled chunk's answers as JSON objects with commas between them."""
    if chunk.result is not None:
        return stored_result.answers_json(chunk.result)
    if chunk.state == "dead":
        return _repeated(chunk.texts, "text-failed", f"given up after several attempts: {chunk.fault}")
    return _repeated(chunk.texts, "not-predicted", f"the job ended as {status.state} before this text was predicted")


def rows(chunk: StoredChunk, status: JobStatus, start: int = 0, stop: int | None = None) -> list[Row]:
    """A settled chunk's answers to its texts from `start` up to `stop`."""
    if chunk.result is not None:
        return stored_result.answers(chunk.result, start, stop)
    found: list[Row] = json.loads(f"[{as_json(chunk, status)}]")
    return found[start:stop]


def chunk_size(snapshot: Snapshot) -> int:
    """Texts of each chunk but the last, which may have fewer; `snapshot` holds chunk 0."""
    return snapshot.chunks[0].texts


def span(start: int, stop: int, size: int, chunks: int) -> Sequence[int]:
    """Numbers of the chunks that hold the texts from `start` up to `stop`."""
    return range(start // size, min(-(-stop // size), chunks))


def _repeated(texts: int, code: str, detail: str) -> str:
    return ",".join([json.dumps({"error": {"code": code, "detail": detail}})] * texts)
