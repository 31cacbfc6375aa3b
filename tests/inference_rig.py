"""The inference thread by itself, with a model whose answers tell the texts apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any
from unittest import mock

import pytest

from contract.message import JobQueue
from harness.until import until
from tests.stand_ins import POISON, echo, ids_of, text_works
from worker import loops
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.batcher import Batcher
from worker.pipeline.inference import Inference
from worker.pipeline.work import ChunkWork

PATIENCE_S = 10.0


class OutOfMemory(Exception):
    pass


class Rig:
    """An inference thread and the chunks that it has completed."""

    def __init__(self, start_suspect: Callable[[ChunkWork], bool] = lambda _: True) -> None:
        self.completed: SimpleQueue[ChunkWork] = SimpleQueue()
        self.died: SimpleQueue[str] = SimpleQueue()
        """Why the process would have ended itself."""
        self.cache = AnswerCache(2**20)
        self.taken: list[tuple[JobQueue, int]] = []
        """Tokens that left a queue, or came back, fewer than none."""
        self.paid: list[tuple[str, float]] = []
        """The model of each batch and the seconds that it counted for."""
        self.inference = Inference(
            batcher=Batcher(2.0),
            start_suspect=start_suspect,
            on_complete=self.completed.put,
            is_out_of_memory=lambda error: isinstance(error, OutOfMemory),
            on_taken=lambda *taken: self.taken.append(taken),
            on_paid=lambda *paid: self.paid.append(paid),
            cache=self.cache,
        )

    def add(self, work: ChunkWork, texts: Sequence[Sequence[int]]) -> ChunkWork:
        self.inference.add(text_works(work, texts))
        return work

    def next(self, *, stored: bool = True) -> ChunkWork:
        """The next chunk that is complete; its answers count as stored from then on, unless told otherwise."""
        found: ChunkWork = until(self._completed_or_died, PATIENCE_S, what="a chunk", pause_s=0.001)
        if stored:
            found.settled.set()
        return found

    def _completed_or_died(self) -> ChunkWork | None:
        assert self.died.empty(), self.died.get()
        return None if self.completed.empty() else self.completed.get()


@contextmanager
def running(rig: Rig) -> Iterator[Rig]:
    """The thread runs; should it die, the test fails, where the process of a worker would end."""
    with mock.patch.object(loops, "end_process", rig.died.put):
        rig.inference.start()
        yield rig
        assert rig.inference.stop(PATIENCE_S)
    assert rig.died.empty(), rig.died.get()


def scores(work: ChunkWork) -> list[float | str]:
    """Each text's score of the second label, or the code of its error."""
    answers = [json.loads(answer) for answer in work.answers]
    return [answer["error"]["code"] if "error" in answer else answer["scores"]["high"] for answer in answers]


def expected(texts: Sequence[Sequence[int]]) -> list[Any]:
    return ["text-failed" if POISON in body else pytest.approx(echo(ids_of(*body))[1], abs=1e-6) for body in texts]
