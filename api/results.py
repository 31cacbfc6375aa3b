"""Predictions as JSON text, taken from the stored chunks without decoding them one by one."""

from __future__ import annotations

import json
from typing import Any

from contract.job import JobStatus, State, StoredChunk

_BEFORE = '"predictions":'
_UNFINISHED = {
    State.EXPIRED: "the job expired before this text was predicted",
    State.CANCELLED: "the job was cancelled before this text was predicted",
}


def predictions(chunk: StoredChunk, status: JobStatus) -> str | None:
    """The chunk's answers, comma-separated JSON objects, one per text; None while it may still be predicted."""
    if chunk.result is not None:
        return _inner(chunk.result)
    if chunk.state == "dead":
        return _repeated(chunk.texts, "text-failed", f"given up after several attempts: {chunk.fault}")
    if chunk.state == "dropped":
        return _repeated(chunk.texts, "not-predicted", _UNFINISHED.get(status.state, "the job ended before this text"))
    return None


def decoded(chunk: StoredChunk, status: JobStatus) -> list[dict[str, Any]] | None:
    """The same as Python objects."""
    text = predictions(chunk, status)
    return None if text is None else json.loads(f"[{text}]")


def _inner(result: str) -> str:
    """What stands between the brackets of `predictions`, the last member of a ChunkResult."""
    array = result[result.index(_BEFORE) + len(_BEFORE) : -1]
    return array.strip()[1:-1]


def _repeated(texts: int, code: str, detail: str) -> str:
    return ",".join([json.dumps({"error": {"code": code, "detail": detail}})] * texts)
