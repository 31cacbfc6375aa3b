"""Reading jobs, now or once they have ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from threading import Event

from api.jobs.coalesce import Coalescer
from api.jobs.events import JobEvents
from contract.errors import StoreUnavailable
from contract.job_record import Snapshot
from contract.job_store import JobStore, ReadOutcome

MOST_TOGETHER = 256
LOOK_EVERY_S = 5.0
"""Who waits also looks by itself, for a publication is lost with the connection that should have brought it."""


class JobReader:
    """Reads that come together share a round trip, so that hundreds of waiting clients cost few connections.

    Every method raises UnknownJob, GoneJob or StoreUnavailable.
    """

    def __init__(self, jobs: JobStore, events: JobEvents) -> None:
        self._jobs = jobs
        self._events = events
        self._reader: Coalescer[tuple[str, Sequence[int]], ReadOutcome] = Coalescer("reader", jobs.read, MOST_TOGETHER)

    def read(self, job_id: str, chunks: Sequence[int] = (0,)) -> Snapshot:
        """The job as it stands, with the chunks of these numbers; it expires if it is due."""
        found = self._reader((job_id, chunks))
        if not isinstance(found, Snapshot):
            raise found
        status = found.status
        if status.state.is_open and status.deadline_at_ms <= time.time() * 1000 and self._jobs.expire(job_id):
            return self.read(job_id, chunks)
        return found

    def wait(self, job_id: str, wait_s: float) -> Snapshot:
        """The job once it has ended, or as it stands after `wait_s` seconds."""
        with self._events.subscribe(job_id) as moved:
            snapshot = self.read(job_id)
            return snapshot if has_ended(snapshot) or wait_s <= 0 else self.wait_subscribed(job_id, moved, wait_s)

    def wait_subscribed(self, job_id: str, moved: Event, wait_s: float) -> Snapshot:
        """The same for a job that has not ended yet; `moved` comes from `JobEvents.subscribe`.

        Who waits already goes on waiting while Redis restarts: the job is safe, and its answer will come.
        """
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            moved.wait(min(left, LOOK_EVERY_S))
            moved.clear()
            with suppress(StoreUnavailable):
                snapshot = self.read(job_id)
                if has_ended(snapshot):
                    return snapshot
        return self.read(job_id)

    def close(self) -> None:
        self._reader.close()


def has_ended(snapshot: Snapshot) -> bool:
    return not snapshot.status.state.is_open
