"""What a stranger writes over keys that all jobs share is set aside, and what they held is derived from the records."""

from __future__ import annotations

import json

import pytest
import redis

from contract.chunk_store import Skipped
from contract.errors import GoneJob, StoreUnavailable
from contract.fleet import WorkerState, WorkerStatus
from contract.job_record import JobState, Lease
from contract.job_store import JobStore
from contract.message import Lane
from contract.settings import SharedSettings
from tests.integration.damage_rig import DAMAGE, Rig


@pytest.fixture
def rig(store: redis.Redis, settings: SharedSettings) -> Rig:
    return Rig(store, settings)


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


def test_what_waits_again_has_waited_since_its_job_was_created(rig: Rig) -> None:
    rig.store.hset(f"retort:job:{rig.healthy.job_id}", "created", 1000)
    rig.store.delete("retort:queued:m")
    rig.store.set("retort:queued:m", "junk")
    rig.sweep.repair("m")
    assert rig.sweep.waiting("m", 60_000) == {rig.healthy}


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
        rig.store.hset(rig.key(), "options", json.dumps({"top_k": 1, "of_a_release_to_come": 0.5}))
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
