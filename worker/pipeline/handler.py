"""A message's way through this worker: tickets, leases, tokens, batches, commit. One thread a message."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from contract.chunk_store import ChunkStore, Skipped
from contract.errors import NoModel, StoreUnavailable
from contract.job_record import Lease
from contract.message import Ticket
from contract.prediction import AnswerRule, TextRead
from contract.stored_result import text_error
from contract.windows import Windows
from worker.metrics import CACHED_ANSWERS, QUEUE_SECONDS, SKIPPED_TICKETS, TOKENIZE_SECONDS, UNKNOWN_TEXTS, WINDOWS
from worker.pipeline.answer_cache import AnswerCache
from worker.pipeline.answers import predictions
from worker.pipeline.committer import Committer
from worker.pipeline.inference import Inference
from worker.pipeline.long_texts import complete
from worker.pipeline.work import ChunkWork, LongText, TextWork
from worker.queueing.flow_control import FlowControl

if TYPE_CHECKING:
    from encoders.tokenization import EncodedText
    from worker.engine.model import Model

log = logging.getLogger(__name__)
RETRY_S = 0.5


class ModelHolder(Protocol):
    """Whoever knows which models are served at the moment."""

    def model(self, name: str) -> Model:
        """The version to use for new work. Raises NoModel while none is in memory."""


class MessageHandler:
    """What this worker holds of the queue's work."""

    def __init__(
        self,
        *,
        chunks: ChunkStore,
        models: ModelHolder,
        inference: Inference,
        committer: Committer,
        flow: FlowControl,
        cache: AnswerCache,
        send_back: Callable[[Sequence[Ticket]], None],
        give_back: Callable[[Sequence[Ticket]], None],
        max_windows: int = 1,
        record: Callable[[ChunkWork], None] = lambda _: None,
    ) -> None:
        """`send_back` puts tickets that are not leased into their queue again, `give_back` those that are. A text is
        read in `max_windows` windows at most. `record` is told of every chunk that is settled."""
        self._chunks = chunks
        self._models = models
        self._inference = inference
        self._committer = committer
        self._flow = flow
        self._cache = cache
        self._send_back = send_back
        self._give_back = give_back
        self._max_windows = max_windows
        self._record = record
        self._lock = Lock()
        self._held: set[Ticket] = set()

    def handle(self, tickets: Sequence[Ticket]) -> None:
        """Answer the tickets' texts. Returns when each chunk is committed, given back, or no longer wanted."""
        mine = self._claim(tickets)
        try:
            for work in [work for lease in self._lease(mine) if (work := self._admit(lease))]:
                work.settled.wait()
                self._flow.settle(work.queue, work.waiting_tokens)
                self._tell(work)
        finally:
            with self._lock:
                self._held.difference_update(mine)

    def _tell(self, work: ChunkWork) -> None:
        """Tell of a settled chunk. That nobody could be told is no reason to forget the message's other chunks."""
        try:
            self._record(work)
        except Exception:
            log.exception("nobody is told of %s", work.lease.ticket)

    def held(self) -> set[Ticket]:
        """The tickets that are being worked on; a lease of this worker that is not among them is forgotten."""
        with self._lock:
            return set(self._held)

    def drop(self, predicate: Callable[[ChunkWork], bool]) -> list[ChunkWork]:
        """Forget the waiting chunks for which `predicate` holds; their messages return. Returns those chunks."""
        dropped = list(self._inference.withdraw(predicate))
        for work in dropped:
            work.settled.set()
        return dropped

    def _claim(self, tickets: Sequence[Ticket]) -> list[Ticket]:
        """The tickets that no other message of this worker has brought already."""
        with self._lock:
            mine = [ticket for ticket in dict.fromkeys(tickets) if ticket not in self._held]
            self._held.update(mine)
        SKIPPED_TICKETS.labels("held").inc(len(tickets) - len(mine))
        return mine

    def _lease(self, tickets: Sequence[Ticket]) -> list[Lease]:
        leases = []
        for answer in self._until_leased(tickets):
            if isinstance(answer, Skipped):
                SKIPPED_TICKETS.labels(answer.why).inc()
            else:
                QUEUE_SECONDS.labels(answer.lane).observe(max(0, answer.leased_ms - answer.created_ms) / 1000)
                leases.append(answer)
        return leases

    def _until_leased(self, tickets: Sequence[Ticket]) -> list[Lease | Skipped]:
        """Lease the tickets as soon as Redis answers. A worker that drains leases nothing and sends them back."""
        while not self._flow.is_draining():
            try:
                return self._chunks.lease(tickets)
            except StoreUnavailable as error:
                log.warning("%d tickets can't be leased, trying again: %s", len(tickets), error)
                time.sleep(RETRY_S)
        self._send_back(tickets)
        return []

    def _admit(self, lease: Lease) -> ChunkWork | None:
        """Hand the chunk on to the device. One that can't even be read is left to `Reconciler.retry_forgotten`."""
        try:
            work = ChunkWork(lease, self._models.model(lease.model))
            texts = self._answer_known(work, list(self._tokenize(work)))
        except NoModel as error:
            log.info("%s goes back to its queue: %s", lease.ticket, error)
            self._give_back([lease.ticket])
            return None
        except Exception:
            log.exception("%s can't be read", lease.ticket)
            return None
        work.tokens = work.waiting_tokens = sum(text.length for text in texts)
        work.steps.append(("tokenize", work.arrived, time.monotonic()))
        self._flow.hold(work.queue, work.tokens)
        if texts:
            self._inference.add(texts)
        else:
            self._committer.add(work)
        return work

    def _answer_known(self, work: ChunkWork, texts: Sequence[TextWork]) -> Sequence[TextWork]:
        """Answer the texts whose answer was computed before; return the others, and windows that are not known."""
        rows = self._cache.find(work.source, [text.key for text in texts])
        known = [(text, row) for text, row in zip(texts, rows, strict=True) if row is not None]
        if not known:
            return texts
        CACHED_ANSWERS.inc(len(known))
        answered, found, _ = complete([text for text, _ in known], np.stack([row for _, row in known]))
        written = predictions(found, AnswerRule.of(work.model.manifest), answered)
        for text, answer in zip(answered, written, strict=True):
            work.answer(text.index, answer)
        return [text for text, row in zip(texts, rows, strict=True) if row is None]

    def _tokenize(self, work: ChunkWork) -> Iterable[TextWork]:
        """Yield the texts that the model can read, in their windows; answer the others with their error."""
        options, manifest = work.options, work.model.manifest
        windows, most = manifest.windows_of(options.long), self._max_windows
        with TOKENIZE_SECONDS.time():
            encoded = work.model.tokenizer.encode(work.lease.texts, options.truncate, windows, most)
        for index, (text, each) in enumerate(zip(work.lease.texts, encoded, strict=True)):
            if each.empty or not text.strip():
                work.answer(index, text_error("empty-text", "the text is empty"), failed=True)
            elif each.too_long:
                limit = windows.reach(most) if windows else manifest.max_length
                detail = f"the text has {each.length} tokens, the model reads {limit}"
                work.answer(index, text_error("text-too-long", detail), failed=True)
            else:
                yield from _works(work, index, each, windows)


def _works(work: ChunkWork, index: int, text: EncodedText, windows: Windows | None) -> Iterable[TextWork]:
    """The text as it waits for the device: itself, or its windows."""
    cut = work.options.span and text.truncated
    read = TextRead(
        tokens=sum(map(len, text.windows)),
        truncated=text.truncated,
        windows=len(text.windows),
        unknown=text.unknown_share,
        span=work.model.tokenizer.span(work.lease.texts[index], text) if cut else None,
    )
    UNKNOWN_TEXTS.inc(not read.is_known)
    long = None
    if windows and text.more:
        long = LongText(len(text.windows), windows.pooling)
        WINDOWS.inc(len(text.windows))
    for place, ids in enumerate(text.windows):
        yield TextWork(chunk=work, index=index, ids=ids, read=read, long=long, place=place)
