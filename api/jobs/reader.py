"""Reading jobs, now or once they have ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from api.http.presence import Presence
from api.jobs.coalesce import Coalescer
from api.jobs.events import JobEvents, Waiter
from contract.errors import StoreUnavailable
from contract.job_record import JobRef, Snapshot
from contract.job_store import JobStore, ReadOutcome
from contract.loop import Loop

MOST_TOGETHER = 256
RETRY_S = 0.2
LOOK_EVERY_S = 5.0
"""Who waits also looks by itself, for a publication is lost with the connection that should have brought it."""


class JobReader:
    """Reads that come together share a round trip, so that hundreds of waiting clients cost few connections.

    Every method raises UnknownJob, GoneJob or StoreUnavailable.
    """

    def __init__(self, jobs: JobStore, events: JobEvents) -> None:
        self._jobs = jobs
        self._events = events
        self._reader: Coalescer[tuple[JobRef, Sequence[int]], ReadOutcome] = Coalescer(
            "reader", jobs.read, MOST_TOGETHER
        )

    @property
    def loop(self) -> Loop:
        return self._reader.loop

    def read(self, job: JobRef, chunks: Sequence[int] = (0,)) -> Snapshot:
        """The job as it stands, with the chunks of these numbers; it expires if it is due."""
        found = self._reader((job, chunks))
        if not isinstance(found, Snapshot):
            raise found
        status = found.status
        if status.state.is_open and status.deadline_at_ms <= time.time() * 1000 and self._jobs.expire(job.id):
            return self.read(job, chunks)
        return found

    def read_patiently(self, job: JobRef, chunks: Sequence[int], patience_s: float) -> Snapshot:
        """Read as `read` does, once Redis answers: for somebody who has a part of an answer already.

        Raises StoreUnavailable when it has not answered for `patience_s`.
        """
        end = time.monotonic() + patience_s
        while True:
            try:
                return self.read(job, chunks)
            except StoreUnavailable:
                if time.monotonic() >= end:
                    raise
                time.sleep(RETRY_S)

    def wait(self, job: JobRef, presence: Presence, wait_s: float) -> Snapshot:
        """Wait up to `wait_s` seconds for the job to end, or its client to go; return the job as it then stands."""
        with self._events.subscribe(job.id, presence) as waiter:
            snapshot = self.read(job)
            return snapshot if has_ended(snapshot) or wait_s <= 0 else self.wait_subscribed(job, waiter, wait_s)

    def wait_subscribed(self, job: JobRef, waiter: Waiter, wait_s: float) -> Snapshot:
        """Wait as `wait` does, for a job that had not ended when the waiter subscribed to it.

        Who waits already goes on waiting while Redis restarts: the job is safe, and its answer will come.
        """
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0 and not waiter.is_gone:
            waiter.wait(min(left, LOOK_EVERY_S))
            with suppress(StoreUnavailable):
                snapshot = self.read(job)
                if has_ended(snapshot):
                    return snapshot
        return self.read(job)

    def close(self) -> None:
        self._reader.close()


def has_ended(snapshot: Snapshot) -> bool:
    return not snapshot.status.state.is_open
