"""What a stranger writes into Redis stays where it is: it is set aside and noted, and everything else goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
import redis

from contract.chunk_store import ChunkStore, Skipped
from contract.errors import GoneJob, StoreUnavailable
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import Commit, JobRef, JobState, Lease, NewJob, Snapshot
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


@pytest.fixture
def rig(store: redis.Redis, settings: SharedSettings) -> Rig:
    return Rig(store, settings)


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


@pytest.mark.parametrize("how", [how for how in DAMAGE if not how.startswith("huge")])
def test_a_damaged_record_harms_no_other_job_whoever_meets_it(rig: Rig, how: str) -> None:
    DAMAGE[how](rig)
    found = rig.jobs.read([(JobRef(rig.damaged.job_id), [0]), (JobRef(rig.healthy.job_id), [0])])
    assert isinstance(found[1], Snapshot)
    leased = rig.chunks.lease([rig.damaged, rig.healthy])
    assert isinstance(leased[0], Skipped)
    assert isinstance(leased[1], Lease)
    both = [rig.damaged, rig.healthy]
    assert [resend.ticket for resend in rig.chunks.give_back(both)] == [rig.healthy]
    rig.jobs.expire(rig.damaged.job_id)
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED
    [gone] = rig.jobs.read([(JobRef(rig.damaged.job_id), [])])
    assert isinstance(gone, GoneJob)
    [entry] = [entry for entry in rig.quarantine.entries() if entry.kind == "record"]
    assert (entry.name, bool(entry.why)) == (rig.damaged.job_id, True)
    assert rig.store.exists(f"retort:set-aside:job:{rig.damaged.job_id}") == 1
    rig.sweep.repair("m")
    backlog = rig.jobs.backlog("m", Lane.INTERACTIVE)
    assert (backlog.texts, backlog.bytes) == (0, 0)
    assert rig.skipped["record"] == 1


@pytest.mark.parametrize("junk", ["junk", "{}", b"\xff", '{"version":"v1","predictions":["a'])
def test_a_damaged_result_is_set_aside_by_who_reads_it(rig: Rig, junk: str | bytes) -> None:
    assert rig.finish(rig.damaged) is JobState.SUCCEEDED
    rig.store.hset(rig.key(), "r:0", junk)
    found = rig.jobs.read([(JobRef(rig.damaged.job_id), [0]), (JobRef(rig.healthy.job_id), [0])])
    assert isinstance(found[0], GoneJob)
    assert isinstance(found[1], Snapshot)
    [entry] = rig.quarantine.entries()
    assert entry.why == "a result is no list of predictions"


@pytest.mark.parametrize(
    "how", ["no-deadline", "junk-state", "endless", "a-string", "junk-c:0", "huge-settled", "huge-done", "huge-errors"]
)
@pytest.mark.parametrize("meets", ["remove", "expire", "commit", "reclaim"])
def test_each_step_survives_a_record_that_was_damaged_under_it(rig: Rig, how: str, meets: str) -> None:
    both = [rig.damaged, rig.healthy]
    rig.chunks.lease(both)
    DAMAGE[how](rig)
    if meets == "remove":
        with suppress(GoneJob):
            rig.jobs.remove(rig.damaged.job_id)
    elif meets == "expire":
        rig.jobs.expire(rig.damaged.job_id)
    elif meets == "commit":
        assert rig.chunks.commit([Commit(ticket=ticket, version="v1", result="{}", errors=0) for ticket in both])[1]
        assert rig.jobs.status(rig.healthy.job_id).state is JobState.SUCCEEDED
    else:
        assert [one.ticket for one in rig.chunks.reclaim(both, "me", "died")][-1] == rig.healthy
    assert rig.jobs.status(rig.healthy.job_id)


@pytest.mark.parametrize("junk", ["junk", "", "1.5", "-", "99999999999999999999999"])
def test_a_damaged_counter_is_survived_and_counted_anew(rig: Rig, junk: str) -> None:
    for name in ("interactive_texts", "interactive_bytes", "interactive_drained"):
        rig.store.hset("retort:backlog:m", name, junk)
    rig.store.hset("retort:totals", mapping={"accepted": junk, "succeeded": junk})
    rig.jobs.backlog("m", Lane.INTERACTIVE)
    rig.jobs.totals()
    third = rig.submit()
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED
    rig.sweep.repair("m")
    backlog = rig.jobs.backlog("m", Lane.INTERACTIVE)
    assert (backlog.texts, backlog.bytes) == (2, 2 * len('["a text"]'))
    for ticket in (third, rig.damaged):
        assert rig.finish(ticket) is JobState.SUCCEEDED
    assert rig.jobs.backlog("m", Lane.INTERACTIVE).texts == 0
    assert rig.jobs.totals()["succeeded"] >= 1


@pytest.mark.parametrize(
    "key",
    ["retort:workers", "retort:deadlines", "retort:dead", "retort:totals", "retort:queued:m", "retort:leased:me",
     "retort:backlog:m", "retort:id-key", "retort:quarantine", "retort:served"],
)  # fmt: skip
def test_a_key_of_another_type_is_set_aside_and_work_goes_on(rig: Rig, key: str) -> None:
    rig.store.delete(key)
    rig.store.rpush(key, "junk")
    assert rig.finish(rig.submit()) is JobState.SUCCEEDED
    rig.jobs.totals(), rig.jobs.open_jobs(), rig.jobs.dead_letters(), rig.jobs.oldest_queued_ms("m")
    rig.fleet.live(), rig.fleet.dead(), rig.sweep.leases("me"), rig.sweep.waiting("m", -1), rig.sweep.due_jobs(10)
    rig.store.delete(key)
    rig.store.rpush(key, "junk")
    rig.sweep.repair("m")
    assert rig.store.type(key) != "list"
    assert rig.store.type(f"retort:set-aside:{key}") == "list"
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED


@pytest.mark.parametrize("how", ["a-string", "huge-settled"])
def test_who_comes_second_to_a_damaged_record_goes_on(rig: Rig, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [rig.damaged, rig.healthy]
    rig.chunks.lease(both)
    DAMAGE[how](rig)
    second = rig.chunks._quarantine.set_aside_job

    def after_another(job_id: str, seen: str = "") -> str:
        rig.quarantine.set_aside_job(job_id)
        return second(job_id, seen)

    monkeypatch.setattr(rig.chunks._quarantine, "set_aside_job", after_another)
    rig.chunks.commit([Commit(ticket=ticket, version="v1", result="{}", errors=0) for ticket in both])
    assert rig.jobs.status(rig.healthy.job_id).state is JobState.SUCCEEDED


@pytest.mark.parametrize("kind", ["a list", "junk"])
def test_a_counter_is_counted_anew_though_the_key_that_asks_for_it_is_damaged_too(rig: Rig, kind: str) -> None:
    if kind == "a list":
        rig.store.rpush("retort:recount", "junk")
    else:
        rig.store.set("retort:recount", "junk")
    rig.store.hset("retort:backlog:m", "interactive_texts", "junk")
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED
    DAMAGE["no-lane"](rig)
    rig.chunks.lease([rig.damaged])
    third = rig.submit()
    rig.sweep.repair("m")
    assert rig.jobs.backlog("m", Lane.INTERACTIVE).texts == 1
    assert rig.finish(third) is JobState.SUCCEEDED


@pytest.mark.parametrize("lasts_ms", [None, 86_400_000])
def test_a_sweepers_lock_that_a_stranger_wrote_is_nobodys(rig: Rig, lasts_ms: int | None) -> None:
    rig.store.set("retort:sweeper:m", "a stranger", px=lasts_ms)
    assert rig.sweep.take_locks(["m"], 2) == ["m"]
    rig.store.set("retort:sweeper:m", "another worker", px=60_000)
    assert rig.sweep.take_locks(["m"], 2) == []


@pytest.mark.parametrize(
    "key", ["retort:workers", "retort:deadlines", "retort:dead", "retort:queued:m", "retort:leased:me"]
)
@pytest.mark.parametrize("met_by", ["the sweep", "a script"])
def test_what_a_key_of_another_type_held_is_derived_from_the_records(rig: Rig, key: str, met_by: str) -> None:
    held, dead = rig.submit(), rig.submit()
    rig.chunks.lease([held])
    for _ in range(5):
        rig.chunks.lease([dead])
        rig.chunks.give_up([dead], "no luck")
    rig.store.delete(key)
    rig.store.set(key, "junk")
    if met_by == "a script":
        rig.finish(rig.submit())
    rig.sweep.repair("m")
    assert rig.sweep.waiting("m", -1) == {rig.damaged, rig.healthy}
    assert rig.sweep.leases("me") == {held}
    assert set(rig.store.zrange("retort:deadlines", 0, -1)) == {one.job_id for one in (rig.damaged, rig.healthy, held)}
    assert rig.store.zrange("retort:workers", 0, -1) == ["me"]
    assert rig.store.zrange("retort:dead", 0, -1) == [str(dead)]
    reclaimed = {one.ticket for one in rig.chunks.reclaim(rig.sweep.leases("me"), "me", "died")}
    assert reclaimed == {held}


@pytest.mark.parametrize("junk", [b"not json", b"\xff\xfe", b"[]", b'{"state": "warming"}', b""])
def test_a_heartbeat_that_can_not_be_read_hides_no_other(rig: Rig, junk: bytes) -> None:
    sound = WorkerStatus(id="w", host="h", pid=1, state=WorkerState.READY, device="cpu", model="m")
    rig.fleet.beat(sound)
    rig.fleet.beat(sound.model_copy(update={"id": "x"}))
    rig.store.set("retort:worker:x", junk)
    assert rig.fleet.live() == [sound]
    assert rig.skipped == {"heartbeat": 1}
    assert rig.fleet.dead() == []


@pytest.mark.parametrize(("state", "read_as"), [("ready", WorkerState.READY), ("warming", WorkerState.UNKNOWN)])
def test_of_a_newer_releases_heartbeat_what_is_known_is_read(rig: Rig, state: str, read_as: WorkerState) -> None:
    status = WorkerStatus(id="new", host="h", pid=1, state=WorkerState.READY, device="cpu", model="m", texts_per_s=7)
    rig.fleet.beat(status)
    newer = status.model_dump(mode="json") | {"schema_version": 2, "state": state, "accelerators": ["x"]}
    rig.store.set("retort:worker:new", json.dumps(newer))
    assert rig.fleet.live() == [status.model_copy(update={"schema_version": 2, "state": read_as})]
    assert rig.fleet.dead() == []
    assert rig.skipped == {}


def test_the_jobs_of_a_caller_are_listed_beside_a_key_of_another_type(rig: Rig) -> None:
    # Both may be of one millisecond, and then neither is the newer one.
    assert {job.id for job in rig.jobs.recent("", 0, 5)} == {rig.healthy.job_id, rig.damaged.job_id}
    rig.store.delete("retort:jobs:")
    rig.store.set("retort:jobs:", "junk")
    assert rig.jobs.recent("", 0, 5) == []
    assert rig.store.get("retort:set-aside:retort:jobs:") == "junk"
    third = rig.submit()
    assert [job.id for job in rig.jobs.recent("", 0, 5)] == [third.job_id]


def test_names_that_are_no_tickets_are_removed_and_noted(rig: Rig) -> None:
    rig.store.zadd("retort:queued:m", {"junk": 1, "no/number": 1, "a/-1": 1})
    rig.store.sadd("retort:leased:me", "junk")
    assert rig.sweep.waiting("m", -1) == {rig.damaged, rig.healthy}
    assert rig.sweep.leases("me") == set()
    assert rig.store.zcard("retort:queued:m") == 2
    assert {entry.name for entry in rig.quarantine.entries()} == {"junk", "no/number", "a/-1"}


def test_a_ticket_that_points_at_nothing_waits_no_more(rig: Rig) -> None:
    rig.store.zadd("retort:queued:m", {f"{rig.healthy.job_id}/77": 1, "nowhere/0": 1})
    assert rig.chunks.resend_lost(rig.sweep.waiting("m", -1) - {rig.damaged, rig.healthy}, "m") == []
    assert rig.store.zcard("retort:queued:m") == 2


def test_a_sound_record_is_never_set_aside(rig: Rig) -> None:
    assert rig.quarantine.set_aside_job(rig.healthy.job_id) == ""
    assert rig.quarantine.set_aside_job("nowhere") == ""
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED
    assert rig.quarantine.set_aside_job(rig.healthy.job_id) == ""
    assert rig.quarantine.entries() == []


def test_the_key_of_ids_is_written_again_when_redis_was_emptied(rig: Rig, settings: SharedSettings) -> None:
    old = rig.healthy.job_id
    rig.store.flushall()
    with pytest.raises(GoneJob):
        rig.jobs.status(old)
    rig.jobs._ids._looked_at = float("-inf")
    rig.submit()
    with pytest.raises(GoneJob):
        JobStore(rig.store, settings).status(old)


def test_a_write_is_tried_and_redis_says_why_it_refuses(rig: Rig) -> None:
    rig.jobs.check_writes()
    rig.store.config_set("maxmemory", "1")
    try:
        with pytest.raises(StoreUnavailable, match=r"OOM|maxmemory"):
            rig.jobs.check_writes()
    finally:
        rig.store.config_set("maxmemory", "0")


@pytest.mark.parametrize("newer", ["record", "option"])
def test_a_job_of_a_newer_release_is_left_to_those_who_can_read_it(
    rig: Rig, newer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if newer == "record":
        rig.store.hset(rig.key(), "schema", 2)
    else:
        rig.store.hset(rig.key(), "options", json.dumps({"top_k": 1, "min_score": 0.5}))
    for _ in range(7):
        found = rig.chunks.lease([rig.damaged, rig.healthy])
        assert found[0] == Skipped(rig.damaged, "newer")
        assert isinstance(found[1], Lease)
    assert rig.store.smembers("retort:leased:me") == {str(rig.healthy)}
    assert rig.quarantine.entries() == []
    assert rig.sweep.waiting("m", -1) == {rig.damaged}
    assert rig.jobs.status(rig.damaged.job_id).state.is_open

    monkeypatch.setattr("contract.chunk_store.REFUSED_FOR_MS", 0)
    rig.chunks.lease([rig.damaged])
    assert rig.jobs.status(rig.damaged.job_id).state is JobState.FAILED
    [fault] = rig.jobs.chunk_faults(rig.damaged.job_id, [0])
    assert fault is not None
    assert fault.startswith("no worker here can read it")
    assert rig.finish(rig.healthy) is JobState.SUCCEEDED
