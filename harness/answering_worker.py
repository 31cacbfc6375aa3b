"""A stand-in for the worker where the model does not matter: real messages, leases and commits, predictable answers.

Each answer depends on its text, so that a test that mixes up two of them sees it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from threading import Event, Thread
from typing import Any

import redis

from contract.chunk_store import ChunkStore
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import Commit, Lease
from contract.message import Lane, queue_name, unpack
from contract.prediction import (
    Answer,
    AnswerRule,
    ChunkResult,
    Failed,
    MultiLabelPrediction,
    Options,
    Prediction,
    TextError,
    TextRead,
)
from contract.redis_client import connect
from contract.settings import SharedSettings

LABELS = ("java", "python", "sql")
VERSION = "20260101t000000-000000"


def scores(text: str) -> dict[str, float]:
    """Three scores that sum to 1 and differ from text to text."""
    digest = hashlib.sha256(text.encode()).digest()
    weights = [1 + int.from_bytes(digest[4 * n : 4 * n + 4]) for n in range(len(LABELS))]
    return {label: weight / sum(weights) for label, weight in zip(LABELS, weights, strict=True)}


ONE_LABEL = AnswerRule(labels=LABELS)
ANY_LABELS = AnswerRule(labels=LABELS, thresholds=(0.2, 0.3, 0.4))


def answer(
    text: str, options: Options | None = None, rule: AnswerRule = ONE_LABEL, *, most_words: int | None = None
) -> Answer:
    """What the stand-in says of a text, of which it reads the first `most_words` words, or all."""
    options = options or Options()
    if not text.strip():
        return Failed(error=TextError(code="empty-text", detail="the text is empty"))
    words = [word.end() for word in re.finditer(r"\S+", text)]
    read = words[:most_words]
    cut = len(read) < len(words)
    span = (0, read[-1]) if cut and options.span else None
    document = rule.answer(
        list(scores(text).values()), options, TextRead(tokens=2 + len(read), truncated=cut, span=span)
    )
    return (Prediction if rule.thresholds is None else MultiLabelPrediction).model_validate(document)


def answer_document(text: str, options: Options | None = None, rule: AnswerRule = ONE_LABEL) -> dict[str, Any]:
    """The same as the API shows it."""
    return answer(text, options, rule).model_dump(mode="json", exclude_unset=True)


def argument(message: str) -> dict[str, Any]:
    """The only argument of a Celery message (protocol 2) as it lies in Redis."""
    [packed], _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
    found: dict[str, Any] = packed
    return found


class AnsweringWorker:
    """Takes messages of one model and answers them in threads of its own, while `go` is set."""

    def __init__(
        self,
        settings: SharedSettings,
        model: str = "default",
        *,
        texts_per_s: float = 0.0,
        held: bool = False,
        rule: AnswerRule = ONE_LABEL,
    ) -> None:
        self.id = f"stand-in-{model}"
        self.model = model
        self.rule = rule
        self.go = Event()
        if not held:
            self.go.set()
        self.pause_s = 0.0
        self.most_words: int | None = None
        """Words that it reads of a text; the others are cut off."""
        self.messages: list[tuple[str, list[str]]] = []
        """Queue and tickets of each message taken."""
        self._settings = settings
        self._texts_per_s = texts_per_s
        self._client: redis.Redis = connect(settings)
        self._chunks = ChunkStore(self._client, settings, worker=self.id)
        self._stopped = Event()
        self._threads = [Thread(target=self._beat), *(Thread(target=self._run, args=(lane,)) for lane in Lane)]

    def __enter__(self) -> AnsweringWorker:
        self._say()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.go.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _say(self) -> None:
        status = WorkerStatus(
            id=self.id, host="h", pid=1, state=WorkerState.READY, device="cpu", model=self.model, version=VERSION,
            texts_per_s=self._texts_per_s,
        )  # fmt: skip
        Fleet(self._client, self._settings).beat(status)

    def _beat(self) -> None:
        while not self._stopped.wait(1):
            self._say()

    def _run(self, lane: Lane) -> None:
        queue = queue_name(self.model, lane)
        while not self._stopped.is_set():
            taken = self._client.brpop([queue], timeout=0.1)
            self.go.wait()
            if taken is None or self._stopped.is_set():
                continue
            tickets = unpack(argument(str(taken[1])))
            self.messages.append((queue, [str(ticket) for ticket in tickets]))
            self._answer([lease for lease in self._chunks.lease(tickets) if isinstance(lease, Lease)])

    def _answer(self, leases: Sequence[Lease]) -> None:
        for lease in leases:
            self._stopped.wait(self.pause_s)
            answers = [answer(text, lease.options, self.rule, most_words=self.most_words) for text in lease.texts]
            result = ChunkResult(version=VERSION, predictions=answers).model_dump_json(exclude_unset=True)
            errors = sum(isinstance(one, Failed) for one in answers)
            self._chunks.commit([Commit(ticket=lease.ticket, version=VERSION, result=result, errors=errors)])
