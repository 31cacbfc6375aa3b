"""The commit thread: whatever was completed while the last commit ran goes to Redis in one pipeline."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Event

from contract.chunk_store import ChunkStore
from contract.errors import StoreUnavailable
from contract.job_record import Commit
from contract.loop import STOP_S
from contract.stored_result import chunk_result
from worker.loops import is_exhausted, worker_loop
from worker.metrics import ANSWER_SECONDS, COMMIT_SECONDS, COMMITTED_TEXTS, LATE_CHUNKS
from worker.pipeline.work import ChunkWork

log = logging.getLogger(__name__)
RETRY_S = 0.5
WAIT_S = 1.0
"""A step that waits for a chunk ends after so long, so that the thread is seen to move."""


class Committer:
    """Commits complete chunks and settles them. While Redis is away it holds them and tries again."""

    def __init__(self, chunks: ChunkStore, on_texts: Callable[[str, int, int], None]) -> None:
        """`on_texts` gets the model, the texts and their bytes, as the backlog counts them, of each committed chunk."""
        self._chunks = chunks
        self._on_texts = on_texts
        self._complete: SimpleQueue[ChunkWork | None] = SimpleQueue()
        self._group: list[ChunkWork] = []
        """What is to be committed next, kept over failures."""
        self._is_last = False
        """Whether nothing will be added after the group."""
        self._drained = Event()
        self.loop = worker_loop(
            "commit", self._step, retry_s=RETRY_S, wake=lambda: self._complete.put(None), is_fatal=_is_fatal
        )

    def start(self) -> None:
        self.loop.start()

    def add(self, work: ChunkWork) -> None:
        self._complete.put(work)

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Commit everything that was added, then end; True when that was done within `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        self._complete.put(None)
        drained = not self.loop.is_alive() or self._drained.wait(timeout_s)
        return self.loop.stop(max(0.0, deadline - time.monotonic())) and drained

    def _step(self) -> None:
        """Commit what has completed, or wait for it for a moment. Raises StoreUnavailable, and keeps the group."""
        if not self._group:
            self._gather()
        if self._group:
            self._commit(self._group)
            self._group = []
        if self._is_last:
            self._drained.set()

    def _gather(self) -> None:
        """Move what waits to the group."""
        try:
            item = self._complete.get(timeout=WAIT_S)
            while item is not None:
                self._group.append(item)
                item = self._complete.get_nowait()
        except Empty:
            return
        self._is_last = True

    def _commit(self, group: Sequence[ChunkWork]) -> None:
        commits = [_commit_of(work) for work in group]
        started = time.monotonic()
        first = self._chunks.commit(commits)
        ended = time.monotonic()
        COMMIT_SECONDS.observe(ended - started)
        for work, was_first in zip(group, first, strict=True):
            if was_first:
                COMMITTED_TEXTS.inc(len(work.answers))
                ANSWER_SECONDS.labels(work.lane).observe(work.age_s())
            else:
                LATE_CHUNKS.inc()
            work.steps.append(("commit", started, ended))
            work.settled.set()
            self._on_texts(work.lease.model, len(work.lease.texts), work.lease.stored_bytes)


def _is_fatal(error: Exception) -> bool:
    """True when trying to commit again can't help: only Redis gets better by waiting."""
    return is_exhausted(error) or not isinstance(error, StoreUnavailable)


def _commit_of(work: ChunkWork) -> Commit:
    version = work.model.version
    return Commit(
        ticket=work.lease.ticket, version=version, result=chunk_result(version, work.answers), errors=work.errors
    )
