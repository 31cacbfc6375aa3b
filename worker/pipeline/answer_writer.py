"""The answer thread: makes answers of what the device has computed, while it computes the next batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contract.loop import STOP_S
from contract.prediction import AnswerRule
from contract.stored_result import text_error
from worker.loops import worker_loop
from worker.metrics import SHARED_ANSWERS
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.answers import predictions
from worker.pipeline.batcher import Batch
from worker.pipeline.long_texts import complete
from worker.pipeline.work import ChunkWork, TextWork

if TYPE_CHECKING:
    from worker.engine.packing import BatchPlan

BEHIND = 4
"""Batches that may wait for their answers. Beyond them the device waits, so that what it computed does not pile up."""
WAIT_S = 1.0
"""A step that waits for a batch ends after so long, so that the thread is seen to move."""


class AnswerWriter:
    """Writes answers in the order in which they were computed, one thread at a time.

    `on_complete` gets every chunk whose last answer was written, on the thread that wrote it.
    """

    def __init__(self, *, on_complete: Callable[[ChunkWork], None], cache: AnswerCache) -> None:
        self._on_complete = on_complete
        self._cache = cache
        self._waiting: Queue[Callable[[], object] | None] = Queue(BEHIND)
        self.loop = worker_loop("answers", self._step, wake=self._wake, is_fatal=lambda _: True)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Write what was given, then end; True when that was done within `timeout_s`. Nothing may be given any more."""
        deadline = time.monotonic() + timeout_s
        written = not self.loop.is_alive() or self.catch_up(timeout_s)
        return self.loop.stop(max(0.0, deadline - time.monotonic())) and written

    def write(
        self, batch: Batch[BatchPlan], texts: Sequence[TextWork], rows: NDArray[np.float32], *, at_once: bool
    ) -> None:
        """Answer texts of the batch by float32[texts, columns], as `Model.run` has them, and those equal to them.

        at_once: on this thread, if nothing is before it; to wake another one takes longer than to answer few texts.
        """
        self._do(lambda: self._write(batch, texts, rows), at_once=at_once)

    def write_failed(self, texts: Sequence[TextWork]) -> None:
        """Answer texts that the model failed on, or windows of them."""
        self._do(lambda: self._write_failed(texts), at_once=False)

    def catch_up(self, timeout_s: float) -> bool:
        """Wait until everything that was given is written; whether it was within `timeout_s`."""
        with self._waiting.all_tasks_done:
            return self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, timeout_s)

    def _do(self, work: Callable[[], object], *, at_once: bool) -> None:
        if at_once and not self._waiting.unfinished_tasks:
            work()
        else:
            self._waiting.put(work)

    def _wake(self) -> None:
        with suppress(Full):  # then it does not wait
            self._waiting.put_nowait(None)

    def _step(self) -> None:
        """Do the next part, or wait for it for a moment."""
        try:
            work = self._waiting.get(timeout=WAIT_S)
        except Empty:
            return
        if work is not None:
            work()
        self._waiting.task_done()

    def _write(self, batch: Batch[BatchPlan], texts: Sequence[TextWork], rows: NDArray[np.float32]) -> None:
        self._cache.keep(batch.source, [text.key for text in texts], rows)
        if batch.copies:
            SHARED_ANSWERS.inc(sum(len(batch.copies.get(text.key, ())) for text in texts))
            rows = np.repeat(rows, [1 + len(batch.copies.get(text.key, ())) for text in texts], axis=0)
            texts = batch.with_copies(texts)
        texts, rows, failed = complete(texts, rows)
        for text, answer in zip(texts, predictions(rows, AnswerRule.of(batch.model.manifest), texts), strict=True):
            self._answer(text, answer)
        for text in failed:
            self._answer_failed(text)

    def _write_failed(self, texts: Sequence[TextWork]) -> None:
        for text in texts:
            if text.long is None or text.long.add(text.place, None):
                self._answer_failed(text)

    def _answer_failed(self, text: TextWork) -> None:
        self._answer(text, text_error("text-failed", "the model failed on this text, and on no other"), failed=True)

    def _answer(self, text: TextWork, answer: str, *, failed: bool = False) -> None:
        if text.chunk.answer(text.index, answer, failed=failed):
            self._on_complete(text.chunk)
