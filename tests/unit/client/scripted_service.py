"""Carries out a call of the client against prepared outcomes, on a clock that only pauses and waiting move."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx

from retort_client.retry import Call, Send
from retort_client.wire import Reply, TransportFailure

T = TypeVar("T")
JOB_ID = "a" * 29
JOB: dict[str, Any] = {
    "id": JOB_ID,
    "status": "queued",
    "model": {"name": "default", "version": None},
    "progress": {"texts": 1, "done": 0, "errors": 0},
    "created": "2026-01-01T00:00:00.000+00:00",
    "deadline": "2026-01-01T01:00:00.000+00:00",
    "timing": {"queued_s": None, "running_s": None, "total_s": None},
    "results": f"/jobs/{JOB_ID}/results",
}
PREDICTION = {"label": "java", "score": 0.75, "tokens": 7, "truncated": False}


class ScriptedService:
    """Answers the first request with the first outcome, and so on."""

    def __init__(self, outcomes: Sequence[Reply | TransportFailure], reply_s: float = 0.0) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[Send] = []
        self.clock_s = 1000.0
        self._reply_s = reply_s
        """How long each reply takes; the service never takes longer than it was asked to wait."""

    def now(self) -> float:
        return self.clock_s

    def carry_out(self, call: Call[T]) -> T:
        try:
            send = next(call)
            while True:
                send = call.send(self._outcome(send))
        except StopIteration as done:
            result: T = done.value
            return result

    def _outcome(self, send: Send) -> Reply | TransportFailure:
        self.sent.append(send)
        self.clock_s += send.pause_s + min(self._reply_s, send.request.wait_s)
        return self.outcomes.pop(0)

    @property
    def pauses(self) -> list[float]:
        return [send.pause_s for send in self.sent]


def reply(status: int, document: object = None, **headers: str) -> Reply:
    """Header names are written with underscores."""
    named = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return Reply(status, named, json.dumps(document).encode())


def problem(status: int, code: str, **headers: str) -> Reply:
    document = {"type": f"/problems#{code}", "title": "T", "status": status, "detail": "d", "request_id": "r1"}
    return reply(status, document, **headers)


def job(status: str, **members: object) -> dict[str, Any]:
    return JOB | {"status": status} | members
