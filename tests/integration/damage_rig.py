"""The record with a job that a test damages beside one that nobody touches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import redis

from contract.chunk_store import ChunkStore
from contract.fleet import Fleet
from contract.job_record import Commit, JobState, NewJob
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import Lane, Ticket
from contract.quarantine import Quarantine
from contract.settings import SharedSettings
from contract.sweep_store import SweepStore
from contract.unreadable import Unreadable

ROOMY = Bounds(10_000, 10_000_000)


class Rig:
    """The record with two jobs: one that is damaged by the test, one that nobody touched."""

    def __init__(self, store: redis.Redis, settings: SharedSettings) -> None:
        self.store, self.settings = store, settings
        self.skipped: Counter[str] = Counter()
        unreadable = Unreadable(lambda kind: self.skipped.update([kind]))
        self.quarantine = Quarantine(store, settings, unreadable)
        self.jobs = JobStore(store, settings, unreadable=unreadable)
        self.chunks = ChunkStore(store, settings, worker="me", unreadable=unreadable)
        self.fleet = Fleet(store, settings, unreadable)
        self.sweep = SweepStore(store, jobs=self.jobs, quarantine=self.quarantine, worker="me")
        self.damaged, self.healthy = self.submit(), self.submit()

    def submit(self, deadline_in_ms: int = 60_000) -> Ticket:
        job = NewJob(
            id=self.jobs.new_id(1), model="m", lane=Lane.INTERACTIVE, texts=["a text"], deadline_in_ms=deadline_in_ms
        )
        [admitted] = self.jobs.submit([(job, ROOMY)])
        assert isinstance(admitted, Admitted)
        return admitted.tickets[0]

    def key(self) -> str:
        return f"retort:job:{self.damaged.job_id}"

    def finish(self, ticket: Ticket) -> JobState:
        self.chunks.lease([ticket])
        self.chunks.commit([Commit(ticket=ticket, version="v1", result="{}", errors=0)])
        return self.jobs.status(ticket.job_id).state


DAMAGE: dict[str, Callable[[Rig], object]] = {
    **{
        f"no-{field}": lambda rig, field=field: rig.store.hdel(rig.key(), field)  # type: ignore[misc]
        for field in ("model", "lane", "options", "deadline", "created", "chunks", "c:0", "t:0")
    },
    **{
        f"junk-{field}": lambda rig, field=field: rig.store.hset(rig.key(), field, b"\xff junk")  # type: ignore[misc]
        for field in ("state", "lane", "options", "deadline", "created", "chunks", "c:0", "t:0", "schema", "texts")
    },
    "endless": lambda rig: rig.store.hset(rig.key(), "chunks", "999999999999"),
    **{
        f"huge-{field}": lambda rig, field=field: rig.store.hset(rig.key(), field, "9" * 30)  # type: ignore[misc]
        for field in ("settled", "done", "errors", "dead")
    },
    "a-string": lambda rig: (rig.store.delete(rig.key()), rig.store.set(rig.key(), "junk")),
    "texts-of-numbers": lambda rig: rig.store.hset(rig.key(), "t:0", "[1, 2]"),
}
