"""What a stranger writes into Redis stays where it is: it is set aside and noted, and everything else goes on."""

from __future__ import annotations

from contextlib import suppress

import pytest
import redis

from contract.chunk_store import Skipped
from contract.errors import GoneJob
from contract.job_record import Commit, JobRef, JobState, Lease, Snapshot
from contract.message import Lane
from contract.settings import SharedSettings
from tests.integration.damage_rig import DAMAGE, Rig


@pytest.fixture
def rig(store: redis.Redis, settings: SharedSettings) -> Rig:
    return Rig(store, settings)


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
