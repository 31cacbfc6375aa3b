"""The commit thread: whatever was completed while the last commit ran goes to Redis in one pipeline."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

from contract.chunk_store import ChunkStore
from contract.errors import StoreUnavailable
from contract.job_record import Commit
from worker.metrics import ANSWER_SECONDS, COMMIT_SECONDS, COMMITTED_TEXTS, LATE_CHUNKS
from worker.pipeline.answers import chunk_result
from worker.pipeline.work import ChunkWork

log = logging.getLogger(__name__)
RETRY_S = 0.5


class Committer:
    """Commits complete chunks and settles them. While Redis is away it holds them and tries again."""

    def __init__(self, chunks: ChunkStore, on_texts: Callable[[int, int], None]) -> None:
        """`on_texts` gets the texts and bytes of each group that was committed."""
        self._chunks = chunks
        self._on_texts = on_texts
        self._complete: SimpleQueue[ChunkWork | None] = SimpleQueue()
        self._thread = Thread(target=self._loop, name="commit", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def add(self, work: ChunkWork) -> None:
        self._complete.put(work)

    def stop(self) -> None:
        """Return once everything that was added is committed."""
        self._complete.put(None)
        self._thread.join()

    def _loop(self) -> None:
        stopping = False
        while not stopping:
            group: list[ChunkWork] = []
            item = self._complete.get()
            while item is not None:
                group.append(item)
                if self._complete.empty():
                    break
                item = self._complete.get()
            stopping = item is None
            if group and not self._commit_or_end(group):
                return

    def _commit_or_end(self, group: Sequence[ChunkWork]) -> bool:
        try:
            self._commit(group)
        except Exception:
            log.critical("the commit thread ends, and this worker with it", exc_info=True)
            return False
        return True

    def _commit(self, group: Sequence[ChunkWork]) -> None:
        commits = [_commit_of(work) for work in group]
        started = time.monotonic()
        first = self._until_stored(commits)
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
        texts = [text for work in group for text in work.lease.texts]
        self._on_texts(len(texts), sum(len(text.encode()) for text in texts))

    def _until_stored(self, commits: Sequence[Commit]) -> list[bool]:
        while True:
            try:
                return self._chunks.commit(commits)
            except StoreUnavailable as error:
                log.warning("%d chunks can't be committed, trying again: %s", len(commits), error)
                time.sleep(RETRY_S)


def _commit_of(work: ChunkWork) -> Commit:
    version = work.model.version
    return Commit(work.lease.ticket, version, chunk_result(version, work.answers), work.errors)
