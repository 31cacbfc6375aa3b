"""The inference thread: one for the device. Takes a batch when the device is free, runs it, hands the answers on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from itertools import compress
from threading import Condition
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from contract.loop import STOP_S, Loop
from contract.message import JobQueue
from worker.loops import worker_loop
from worker.metrics import (
    BATCH_ROWS,
    BATCH_SECONDS,
    BATCH_TEXTS,
    BATCH_TOKENS,
    FAILED_TEXTS,
)
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.answer_writer import AnswerWriter
from worker.pipeline.batcher import Batch, Batcher
from worker.pipeline.token_budget import TokenBudget
from worker.pipeline.work import ChunkWork, TextWork

if TYPE_CHECKING:
    from encoders.tokenization import Ids
    from worker.engine.model import Model
    from worker.engine.packing import BatchPlan

log = logging.getLogger(__name__)
COMMIT_S = 5.0
"""How long the device waits for the answers of a suspect to be stored; a store that is away is not waited for."""


class Inference:
    """Runs what the batcher holds.

    `on_complete` gets every chunk whose last answer has come, on this thread or on that which writes answers.
    `start_suspect` is asked, on this one, before a chunk with a failed attempt goes on the device: whether it may.
    """

    def __init__(
        self,
        *,
        batcher: Batcher,
        start_suspect: Callable[[ChunkWork], bool],
        on_complete: Callable[[ChunkWork], None],
        is_out_of_memory: Callable[[Exception], bool],
        on_taken: Callable[[JobQueue, int], None],
        on_paid: Callable[[str, float], None],
        cache: AnswerCache,
    ) -> None:
        """`on_taken` is told of tokens of a queue that no longer wait; fewer than none when some wait again. `on_paid`
        gets a batch's model with its seconds on the device; one that left nothing waiting counts as its share of a full
        one."""
        self._batcher = batcher
        self._start_suspect = start_suspect
        self._on_complete = on_complete
        self._is_out_of_memory = is_out_of_memory
        self._on_taken = on_taken
        self._on_paid = on_paid
        self._writer = AnswerWriter(on_complete=self._complete, cache=cache)
        self._computed_suspects: list[ChunkWork] = []
        """Whose answers are on their way to the record."""
        self._budgets: WeakKeyDictionary[Model, TokenBudget] = WeakKeyDictionary()
        self._changed = Condition()
        self._is_last = False
        """Whether nothing waited for the device when the running batch was taken."""
        self._batch_since: float | None = None
        self.busy_total_s = 0.0
        """Seconds that the device has been busy, ever."""
        # A device that fails on everything will not get better; a batch is never run twice because of the first time.
        self.loop = worker_loop("inference", self._step, wake=self._notify, is_fatal=lambda _: True)

    @property
    def loops(self) -> Sequence[Loop]:
        return self.loop, self._writer.loop

    def start(self) -> None:
        for loop in self.loops:
            loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Let the running batch be the last; what waits stays where it is. True when it was answered within
        `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        stopped = self.loop.stop(timeout_s)
        return self._writer.stop(max(0.0, deadline - time.monotonic())) and stopped

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
            busy_s = self.busy_s()
            self.busy_total_s += busy_s
            share_s = batch.plan.tokens * batch.model.seconds_per_token
            self._on_paid(batch.queue.model, busy_s if batch.is_full else min(busy_s, share_s))
            self._batch_since = None
            if batch.offered[0].chunk.lease.is_suspect:
                self._await_suspects()

    def _await_suspects(self) -> None:
        """Let what is known of computed suspects be stored before anything else can bring the worker down.

        The record says of them that they run, and would blame them for the death of another.
        """
        until = time.monotonic() + COMMIT_S
        self._writer.catch_up(COMMIT_S)
        while self._computed_suspects and not self.loop.is_stopping and time.monotonic() < until:
            if self._computed_suspects[-1].settled.wait(0.05):
                self._computed_suspects.pop()
        self._computed_suspects.clear()

    def _next(self) -> Batch[BatchPlan] | None:
        with self._changed:
            while not self.loop.is_stopping:
                self._drop_expired()
                if batch := self._batcher.take(self._plan):
                    self._count_waiting(batch.with_copies(batch.texts), -1)
                    self._is_last = not len(self._batcher)
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

    def _budget(self, model: Model) -> TokenBudget:
        if (found := self._budgets.get(model)) is None:
            found = self._budgets[model] = TokenBudget(model.batch_tokens, model.brief_tokens)
        return found

    def _plan(self, model: Model, lengths: Sequence[int], brief: bool) -> BatchPlan:
        return model.plan(lengths, self._budget(model).tokens(brief=brief))

    def _run(self, batch: Batch[BatchPlan]) -> None:
        texts, model = batch.texts, batch.model
        for text in batch.with_copies(texts):
            text.chunk.started = True
        started = time.monotonic()
        try:
            rows = model.run([text.ids for text in batch.offered], batch.plan)
        except Exception as error:  # noqa: BLE001 whatever it is, the other texts get their answer
            self._isolate(batch, texts, error)
            return
        ended = time.monotonic()
        for chunk in {text.chunk for text in texts}:
            chunk.steps.append(("batch", started, ended))
        BATCH_SECONDS.observe(ended - started)
        BATCH_TEXTS.observe(len(texts))
        BATCH_TOKENS.observe(batch.plan.tokens)
        BATCH_ROWS.inc(batch.plan.shape.tokens)
        self._budget(model).note_computed(len(texts))
        self._answer_all(batch, texts, rows)

    def _complete(self, work: ChunkWork) -> None:
        if work.lease.is_suspect:
            self._computed_suspects.append(work)
        self._on_complete(work)

    def _count_waiting(self, texts: Sequence[TextWork], sign: int) -> None:
        """Texts of one queue leave it for the device (-1), or come back (1)."""
        for text in texts:
            text.chunk.waiting_tokens += sign * text.length
        self._on_taken(texts[0].chunk.queue, -sign * sum(text.length for text in texts))

    def _put_back(self, batch: Batch[BatchPlan], texts: Sequence[TextWork]) -> None:
        """Let texts whose batch failed join the next one, unless nobody wants them any more."""
        with self._changed:
            if wanted := [text for text in batch.with_copies(texts) if not text.chunk.withdrawn]:
                self._batcher.put_back(wanted)
                self._count_waiting(wanted, 1)

    def _isolate(self, batch: Batch[BatchPlan], suspects: Sequence[TextWork], error: Exception) -> None:
        """Find the one text that is to blame for a batch's failure, by halves; the others are answered or put back."""
        while len(suspects) > 1:
            if self._is_short_of_memory(batch.model, error):
                self._put_back(batch, suspects)
                return
            middle = (len(suspects) + 1) // 2
            half, rest = suspects[:middle], suspects[middle:]
            if failure := self._try(batch, half):
                self._put_back(batch, rest)
                suspects, error = half, failure
            else:
                suspects = rest
        if failure := self._try(batch, suspects):
            if self._is_short_of_memory(batch.model, failure):
                self._put_back(batch, suspects)
                return
            self._budget(batch.model).be_careful()
            self._fail(batch, suspects[0], failure)

    def _try(self, batch: Batch[BatchPlan], texts: Sequence[TextWork]) -> Exception | None:
        """Run and answer some texts of a batch that failed; what the model raised, None when it did not."""
        try:
            rows = self._predict(batch.model, [text.ids for text in texts])
        except Exception as error:  # noqa: BLE001
            return error
        self._answer_all(batch, texts, rows)
        return None

    def _is_short_of_memory(self, model: Model, error: Exception) -> bool:
        """True when the error says so and smaller batches, from now on, can help."""
        return self._is_out_of_memory(error) and self._budget(model).halve()

    def _predict(self, model: Model, texts: Sequence[Ids]) -> NDArray[np.float32]:
        return model.run_all(texts, self._budget(model).max_tokens)

    def _fail(self, batch: Batch[BatchPlan], text: TextWork, error: Exception) -> None:
        """Blame the text, once the device has shown that it still answers another: its first and last token.

        Raises what is wrong with the device otherwise, so that the worker ends and the text is tried elsewhere.
        """
        if not np.isfinite(self._predict(batch.model, [text.ids[[0, -1]]])).all():
            raise ArithmeticError("the device computes what is not a number") from error
        failed = batch.with_copies([text])
        for each in failed:
            log.error("text %d of %s can't be predicted", each.index, each.chunk.lease.ticket, exc_info=error)
            FAILED_TEXTS.inc()
        self._writer.write_failed(failed)

    def _answer_all(self, batch: Batch[BatchPlan], texts: Sequence[TextWork], rows: NDArray[np.float32]) -> None:
        """Hand on the answers of texts of the batch, and of those that are equal to them."""
        if len(rows) != len(texts):
            raise AssertionError(f"{len(texts)} texts went in and {len(rows)} answers came out")
        finite = np.asarray(np.isfinite(rows).all(axis=1))
        if not finite.all():
            for text in compress(texts, ~finite):
                self._fail(batch, text, ArithmeticError("a probability is not a number"))
            texts, rows = list(compress(texts, finite)), rows[finite]
        self._writer.write(batch, texts, rows, at_once=self._is_last)
