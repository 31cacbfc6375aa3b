"""Reading jobs, now or once they have moved far enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Event

from api.coalesce import Coalescer
from api.waiters import Waiters
from contract.errors import GoneJob, UnknownJob
from contract.job import Snapshot
from contract.jobs import Jobs

MOST_TOGETHER = 256


class Follower:
    """Reads that come together share a round trip, so that hundreds of waiting clients cost few connections."""

    def __init__(self, jobs: Jobs, waiters: Waiters, look_every_s: float = 1.0) -> None:
        self._jobs = jobs
        self._waiters = waiters
        self._look_every_s = look_every_s
        self._reader: Coalescer[tuple[str, Sequence[int]], Snapshot | UnknownJob | GoneJob] = Coalescer(
            "reader", jobs.read, MOST_TOGETHER
        )

    def read(self, job_id: str, chunks: Sequence[int] = (0,)) -> Snapshot:
        """The job as it stands. Raises UnknownJob, GoneJob or StoreUnavailable."""
        found = self._reader((job_id, chunks))
        if not isinstance(found, Snapshot):
            raise found
        status = found.status
        if status.state.is_open and status.deadline_ms <= time.time() * 1000 and self._jobs.expire(job_id):
            return self.read(job_id, chunks)
        return found

    def until(
        self, enough: Callable[[Snapshot], bool], moved: Event, job_id: str, wait_s: float, chunks: Sequence[int] = (0,)
    ) -> Snapshot:
        """The job once `enough` says so, or as it stands after `wait_s` seconds; `moved` comes from `Waiters.watch`."""
        end = time.monotonic() + wait_s
        while (left := end - time.monotonic()) > 0:
            moved.wait(min(left, self._look_every_s))
            moved.clear()
            snapshot = self.read(job_id, chunks)
            if enough(snapshot):
                return snapshot
        return self.read(job_id, chunks)

    def close(self) -> None:
        self._reader.close()
