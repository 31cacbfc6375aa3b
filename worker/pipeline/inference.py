"""The inference thread: one for the device. Takes a batch when the device is free, runs it, hands the answers on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Condition
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from contract.loop import STOP_S
from worker.loops import worker_loop
from worker.metrics import BATCH_ROWS, BATCH_SECONDS, BATCH_TEXTS, BATCH_TOKENS, FAILED_TEXTS, HALVED_BUDGETS
from worker.pipeline.answers import prediction, text_error
from worker.pipeline.batcher import Batch, Batcher
from worker.pipeline.work import ChunkWork, TextWork

if TYPE_CHECKING:
    from worker.engine.model import Model
    from worker.engine.packing import BatchPlan

log = logging.getLogger(__name__)
LEAST_TOKENS = 64
BRIEF_SHARE = 4
"""A brief batch has so many times fewer tokens than a full one: less efficient, but soon over."""


class Inference:
    """Runs what the batcher holds.

    `on_complete` gets every chunk whose last answer has come, on this thread. `start_suspect` is asked, on this thread
    too, before a chunk with a failed attempt goes on the device, and says whether it may.
    """

    def __init__(
        self,
        *,
        batcher: Batcher,
        start_suspect: Callable[[ChunkWork], bool],
        on_complete: Callable[[ChunkWork], None],
        is_out_of_memory: Callable[[Exception], bool],
    ) -> None:
        self._batcher = batcher
        self._start_suspect = start_suspect
        self._on_complete = on_complete
        self._is_out_of_memory = is_out_of_memory
        self._max_tokens: int | None = None
        """Tokens of a batch at most, once the device has run out of memory."""
        self._changed = Condition()
        self._batch_since: float | None = None
        self.busy_total_s = 0.0
        """Seconds that the device has been busy, ever."""
        # A device that fails on everything will not get better; a batch is never run twice because of the first time.
        self.loop = worker_loop("inference", self._step, wake=self._notify, is_fatal=lambda _: True)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Let the running batch be the last; what waits stays where it is. Whether it ended within `timeout_s`."""
        return self.loop.stop(timeout_s)

    def add(self, texts: Sequence[TextWork]) -> None:
        with self._changed:
            self._batcher.add(texts)
            self._changed.notify()

    def withdraw(self, predicate: Callable[[ChunkWork], bool]) -> set[ChunkWork]:
        """Take the waiting texts of the chunks for which `predicate` holds out of the queue; return the chunks."""
        with self._changed:
            return self._batcher.remove_chunks(predicate)

    def oldest_age_s(self) -> float:
        with self._changed:
            return self._batcher.oldest_age_s()

    def busy_s(self) -> float:
        """How long the running batch has been on the device; 0 when the device is idle."""
        since = self._batch_since
        return 0.0 if since is None else time.monotonic() - since

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify()

    def _step(self) -> None:
        """Run the next batch, or wait for one."""
        batch = self._next()
        if batch is not None and self._may_run(batch):
            self._batch_since = time.monotonic()
            self._run(batch)
            self.busy_total_s += self.busy_s()
            self._batch_since = None

    def _next(self) -> Batch[BatchPlan] | None:
        with self._changed:
            while not self.loop.is_stopping:
                self._drop_expired()
                if batch := self._batcher.take(self._plan):
                    return batch
                self._changed.wait()
        return None

    def _drop_expired(self) -> None:
        now = time.monotonic()
        for work in self._batcher.remove_chunks(lambda work: work.expires <= now):
            work.settled.set()

    def _may_run(self, batch: Batch[BatchPlan]) -> bool:
        work = batch.offered[0].chunk
        if work.started or not work.lease.is_suspect or self._start_suspect(work):
            return True
        self.withdraw(lambda other: other is work)
        work.settled.set()
        return False

    def _plan(self, model: Model, lengths: Sequence[int], brief: bool) -> BatchPlan:
        if not brief:
            return model.plan(lengths, self._max_tokens)
        return model.plan(lengths, (self._max_tokens or model.batch_tokens) // BRIEF_SHARE)

    def _run(self, batch: Batch[BatchPlan]) -> None:
        texts, model = batch.texts, batch.model
        for text in texts:
            text.chunk.started = True
        started = time.monotonic()
        try:
            rows = model.run([text.ids for text in batch.offered], batch.plan)
        except Exception as error:  # noqa: BLE001 whatever it is, the other texts get their answer
            self._split(model, texts, error)
            return
        ended = time.monotonic()
        for chunk in {text.chunk for text in texts}:
            chunk.steps.append(("batch", started, ended))
        BATCH_SECONDS.observe(ended - started)
        BATCH_TEXTS.observe(len(texts))
        BATCH_TOKENS.observe(batch.plan.tokens)
        BATCH_ROWS.inc(batch.plan.shape.tokens)
        self._answer_all(model, texts, rows)

    def _split(self, model: Model, texts: Sequence[TextWork], error: Exception) -> None:
        """Run the halves of a batch that failed, down to the one text that is to blame."""
        tokens = self._max_tokens or model.batch_tokens
        if self._is_out_of_memory(error) and tokens > LEAST_TOKENS:
            self._max_tokens = tokens // 2
            HALVED_BUDGETS.inc()
            log.warning("out of memory: batches have %d tokens at most from now on", self._max_tokens)
        elif len(texts) == 1:
            self._fail(model, texts[0], error)
            return
        middle = (len(texts) + 1) // 2
        for half in filter(None, (texts[:middle], texts[middle:])):
            try:
                rows = model.predict([text.ids for text in half], self._max_tokens)
            except Exception as again:  # noqa: BLE001
                self._split(model, half, again)
            else:
                self._answer_all(model, half, rows)

    def _fail(self, model: Model, text: TextWork, error: Exception) -> None:
        """Blame the text, once the device has shown that it still answers another: its first and last token.

        Raises what is wrong with the device otherwise, so that the worker ends and the text is tried elsewhere.
        """
        if not np.isfinite(model.predict([text.ids[[0, -1]]], self._max_tokens)).all():
            raise ArithmeticError("the device computes what is not a number") from error
        ticket = text.chunk.lease.ticket
        log.error("text %d of %s can't be predicted", text.index, ticket, exc_info=error)
        FAILED_TEXTS.inc()
        detail = "the model failed on this text, and on no other"
        self._answer(text, text_error("text-failed", detail), failed=True)

    def _answer_all(self, model: Model, texts: Sequence[TextWork], rows: NDArray[np.float32]) -> None:
        if len(rows) != len(texts):
            raise AssertionError(f"{len(texts)} texts went in and {len(rows)} answers came out")
        for text, row in zip(texts, rows, strict=True):
            if not np.isfinite(row).all():
                self._fail(model, text, ArithmeticError("a probability is not a number"))
                continue
            labels, options = model.manifest.labels, text.chunk.lease.options
            self._answer(text, prediction(row, labels, options, tokens=text.length, truncated=text.truncated))

    def _answer(self, text: TextWork, answer: str, *, failed: bool = False) -> None:
        if text.chunk.answer(text.index, answer, failed=failed):
            self._on_complete(text.chunk)
