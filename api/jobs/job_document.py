"""The job as clients see it: the same document from POST /predict and GET /jobs/<id>."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from api.jobs.backpressure import Backpressure
from contract.job_record import JobStatus


def job_document(status: JobStatus, backpressure: Backpressure) -> dict[str, Any]:
    """A job as it stands, without its predictions."""
    found: dict[str, Any] = {
        "id": status.id,
        "status": status.state,
        "model": {"name": status.model, "version": status.version},
        "progress": {"texts": status.texts, "done": status.done, "errors": status.errors},
        "created": _moment(status.created_ms),
        "deadline": _moment(status.deadline_at_ms),
        "timing": _timing(status),
        "results": f"/jobs/{status.id}/results",
    }
    if status.state.is_open:
        found["queue"] = backpressure.outlook(status)
    return found


def with_predictions(found: dict[str, Any], predictions: str) -> str:
    """The document as JSON, with predictions that are JSON already."""
    return f'{json.dumps(found)[:-1]}, "predictions": [{predictions}]}}'


def _timing(status: JobStatus) -> dict[str, float | None]:
    """Seconds from admission to the first lease, from there to the end, and of the whole."""
    started, finished = status.started_ms, status.finished_ms
    return {
        "queued_s": _seconds(status.created_ms, started if started is not None else finished),
        "running_s": _seconds(started, finished),
        "total_s": _seconds(status.created_ms, finished),
    }


def _seconds(start_ms: int | None, end_ms: int | None) -> float | None:
    return None if start_ms is None or end_ms is None else (end_ms - start_ms) / 1000


def _moment(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds")
