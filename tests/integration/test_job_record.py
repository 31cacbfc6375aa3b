"""The life of one job in a real Redis, transition by transition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from contract.chunk_store import ChunkStore, Resend, Skipped
from contract.dead_letters import DeadLetters
from contract.errors import GoneJob, UnknownJob
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import Backlog, Commit, JobRef, JobState, Lease, NewJob, Snapshot, StoredChunk
from contract.job_store import Admitted, Bounds, Conflict, JobStore, Refused
from contract.message import Lane, Ticket
from contract.prediction import Options
from contract.settings import SharedSettings

ROOMY = Bounds(texts=10_000, bytes=10_000_000)


@pytest.fixture
def jobs(store: redis.Redis, settings: SharedSettings) -> JobStore:
    return JobStore(store, settings)


@pytest.fixture
def chunks(store: redis.Redis, settings: SharedSettings) -> ChunkStore:
    beat(store, settings, "w1")
    return ChunkStore(store, settings, worker="w1")


def beat(store: redis.Redis, settings: SharedSettings, worker: str) -> None:
    status = WorkerStatus(id=worker, host="h", pid=1, state=WorkerState.READY, device="cpu", model="m")
    Fleet(store, settings).beat(status)


def new_job(jobs: JobStore, texts: list[str], **more: object) -> NewJob:
    fields: dict[str, Any] = {"model": "m", "lane": Lane.INTERACTIVE, "deadline_in_ms": 60_000, **more}
    return NewJob(id=jobs.new_id(jobs.now_ms()), texts=texts, **fields)


def submit(jobs: JobStore, texts: list[str], bounds: Bounds = ROOMY, **more: object) -> Admitted:
    [admission] = jobs.submit([(new_job(jobs, texts, **more), bounds)])
    assert isinstance(admission, Admitted)
    return admission


def lease(chunks: ChunkStore, ticket: Ticket) -> Lease:
    [leased] = chunks.lease([ticket])
    assert isinstance(leased, Lease)
    return leased


def stored(number: int) -> str:
    return f'{{"version":"v1","predictions":[{number}]}}'


def result(ticket: Ticket) -> Commit:
    return Commit(ticket=ticket, version="v1", result=stored(ticket.chunk), errors=0)


def test_a_workers_bytes_are_those_of_the_backlog(jobs: JobStore, chunks: ChunkStore) -> None:
    texts = ["naïve 日本語", 'a "quoted"\n\ttext', "\x01", "🜁"]
    leased = lease(chunks, submit(jobs, texts).tickets[0])
    assert leased.stored_bytes == jobs.backlog("m", Lane.INTERACTIVE).bytes


def test_a_job_of_three_chunks_succeeds_with_its_last_commit(jobs: JobStore, chunks: ChunkStore) -> None:
    texts = [f"text {n}" for n in range(130)]
    admitted = submit(jobs, texts)
    assert jobs.status(admitted.id).state is JobState.QUEUED
    seen: list[str] = []
    for ticket in admitted.tickets:
        seen += lease(chunks, ticket).texts
        assert jobs.status(admitted.id).state is JobState.RUNNING
        assert chunks.commit([result(ticket)]) == [True]
    assert seen == texts
    status = jobs.status(admitted.id)
    assert (status.state, status.done, status.version) == (JobState.SUCCEEDED, 130, "v1")
    assert jobs.results(admitted.id, [0, 1, 2]) == [stored(0), stored(1), stored(2)]
    assert jobs.backlog("m", Lane.INTERACTIVE) == Backlog(0, 0, 130)


def test_the_texts_are_gone_once_they_are_committed(jobs: JobStore, chunks: ChunkStore, store: redis.Redis) -> None:
    [ticket] = submit(jobs, ["secret"]).tickets
    lease(chunks, ticket)
    chunks.commit([result(ticket)])
    assert "secret" not in str(store.hgetall(f"retort:job:{ticket.job_id}"))


def test_the_first_commit_wins_whoever_made_it(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    assert ChunkStore(store, settings, worker="w2").commit([result(ticket)]) == [True]
    assert chunks.commit([result(ticket)]) == [False]


def test_a_chunk_leased_by_a_live_worker_is_skipped(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    assert ChunkStore(store, settings, worker="w2").lease([ticket]) == [Skipped(ticket, "leased")]


def test_a_chunk_of_a_dead_worker_can_be_leased_once_it_is_reclaimed(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    other = ChunkStore(store, settings, worker="w2")
    assert other.lease([ticket]) == [Skipped(ticket, "leased")]
    assert other.reclaim([ticket], "w1", "killed") == [Resend(ticket, "m", Lane.INTERACTIVE)]
    assert lease(other, ticket).attempt == 2


def test_a_worker_gets_its_lease_again_when_the_answer_was_lost(jobs: JobStore, chunks: ChunkStore) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    first = lease(chunks, ticket)
    again = lease(chunks, ticket)
    assert (again.texts, again.attempt) == (first.texts, first.attempt)


def test_a_chunk_that_waited_while_workers_died_is_not_to_blame(jobs: JobStore, chunks: ChunkStore) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    for _ in range(5):
        lease(chunks, ticket)
        chunks.reclaim([ticket], "w1", "killed")
    assert lease(chunks, ticket).attempt == 2


def test_a_worker_that_leases_is_in_the_fleet_so_that_its_death_is_noticed(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    Fleet(store, settings).leave("w1")
    lease(chunks, submit(jobs, ["a"]).tickets[0])
    assert store.zscore("retort:workers", "w1") is not None


def test_a_worker_that_leaves_with_leases_counts_as_dead(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    fleet = Fleet(store, settings)
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    fleet.leave("w1")
    assert fleet.dead() == ["w1"]
    chunks.give_back([ticket])
    fleet.leave("w1")
    assert fleet.dead() == []


def test_a_heartbeat_from_before_the_clock_was_set_back_does_not_count(
    store: redis.Redis, settings: SharedSettings
) -> None:
    beat(store, settings, "w1")
    store.zincrby("retort:workers", 3_600_000, "w1")
    assert (Fleet(store, settings).live(), Fleet(store, settings).dead()) == ([], ["w1"])


def test_a_chunk_out_of_attempts_is_a_dead_letter_and_its_job_fails(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    for attempt in range(1, settings.max_attempts):
        assert lease(chunks, ticket).attempt == attempt
        chunks.start(ticket)
        assert chunks.reclaim([ticket], "w1", "killed") == [Resend(ticket, "m", Lane.INTERACTIVE)]
    lease(chunks, ticket)
    chunks.start(ticket)
    assert chunks.reclaim([ticket], "w1", "killed") == []
    assert jobs.status(ticket.job_id).state is JobState.FAILED
    assert jobs.chunk_faults(ticket.job_id, [0]) == ["killed"]
    assert store.zrange("retort:dead", 0, -1) == [str(ticket)]


def test_a_redriven_dead_letter_runs_alone_and_can_succeed(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis, settings: SharedSettings
) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    for _ in range(settings.max_attempts):
        lease(chunks, ticket)
        chunks.give_up([ticket], "can't be read")
    letters = DeadLetters(store, settings)
    assert letters.tickets() == [ticket]
    found = letters.find(ticket)
    assert found is not None
    assert (found.texts, found.why) == (("a",), "can't be read")
    assert letters.redrive(ticket, deadline_s=60) == [Resend(ticket, "m", Lane.INTERACTIVE)]
    assert (letters.tickets(), letters.find(ticket), letters.redrive(ticket, 60)) == ([], None, [])
    again = lease(chunks, ticket)
    assert (again.texts, again.is_suspect) == (("a",), True)
    chunks.commit([result(ticket)])
    assert jobs.status(ticket.job_id).state is JobState.SUCCEEDED


def test_a_chunk_given_back_keeps_its_attempts(jobs: JobStore, chunks: ChunkStore) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    chunks.give_back([ticket])
    assert lease(chunks, ticket).attempt == 1


def test_a_cancelled_job_drops_its_chunks_texts_and_results(
    jobs: JobStore, chunks: ChunkStore, store: redis.Redis
) -> None:
    admitted = submit(jobs, ["secret"] * 130)
    lease(chunks, admitted.tickets[0])
    chunks.commit([result(admitted.tickets[0])])
    lease(chunks, admitted.tickets[1])
    assert jobs.remove(admitted.id) == "cancelled"
    assert jobs.status(admitted.id).state is JobState.CANCELLED
    assert chunks.commit([result(admitted.tickets[1])]) == [False]
    assert chunks.lease([admitted.tickets[2]]) == [Skipped(admitted.tickets[2], "cancelled")]
    assert jobs.backlog("m", Lane.INTERACTIVE).texts == 0
    assert "secret" not in str(store.hgetall(f"retort:job:{admitted.id}"))
    assert store.exists("retort:leased:w1", "retort:queued:m", "retort:deadlines") == 0


def test_a_deleted_job_is_gone_and_an_invented_one_unknown(jobs: JobStore, chunks: ChunkStore) -> None:
    [ticket] = submit(jobs, ["a"]).tickets
    lease(chunks, ticket)
    chunks.commit([result(ticket)])
    assert jobs.remove(ticket.job_id) == "deleted"
    with pytest.raises(GoneJob):
        jobs.status(ticket.job_id)
    with pytest.raises(UnknownJob):
        jobs.status("a" * 29)


def test_a_job_past_its_deadline_expires_when_a_worker_asks(jobs: JobStore, chunks: ChunkStore) -> None:
    [ticket] = submit(jobs, ["a"], deadline_in_ms=0).tickets
    assert chunks.lease([ticket]) == [Skipped(ticket, "expired")]
    assert jobs.status(ticket.job_id).state is JobState.EXPIRED


def test_a_full_lane_refuses_and_stores_nothing(jobs: JobStore, store: redis.Redis) -> None:
    submit(jobs, ["a"] * 8)
    before = sorted(store.keys())
    [admission] = jobs.submit([(new_job(jobs, ["a"] * 3), Bounds(texts=10, bytes=10_000))])
    assert isinstance(admission, Refused)
    assert admission.backlog.texts == 8
    assert sorted(store.keys()) == before


def test_an_empty_lane_takes_a_job_larger_than_its_bound(jobs: JobStore) -> None:
    assert submit(jobs, ["a"] * 50, Bounds(texts=10, bytes=10)).tickets


def test_an_idempotency_key_gives_the_same_job_and_refuses_another_body(jobs: JobStore) -> None:
    first = submit(jobs, ["a"], idempotency_key="k", digest="d1", caller="me")
    again = submit(jobs, ["a"], idempotency_key="k", digest="d1", caller="me")
    assert (again.id, again.tickets) == (first.id, ())
    assert submit(jobs, ["a"], idempotency_key="k", digest="d1", caller="you").id != first.id
    other = new_job(jobs, ["b"], caller="me", idempotency_key="k", digest="d2")
    assert jobs.submit([(other, ROOMY)]) == [Conflict(first.id)]


def test_a_submission_that_is_sent_again_is_admitted_once(jobs: JobStore) -> None:
    job = new_job(jobs, ["a", "b"], idempotency_key="k", digest="d")
    assert jobs.submit([(job, ROOMY)]) == jobs.submit([(job, ROOMY)])
    assert jobs.backlog("m", Lane.INTERACTIVE).texts == 2


def test_jobs_are_read_together_with_the_chunks_asked_for(jobs: JobStore, chunks: ChunkStore) -> None:
    done, waiting = submit(jobs, ["a"] * 65), submit(jobs, ["b"])
    lease(chunks, done.tickets[1])
    chunks.commit([result(done.tickets[1])])
    first, second, absent = jobs.read([(JobRef(done.id), [0, 1, 2]), (JobRef(waiting.id), []), (JobRef("a" * 29), [0])])
    assert isinstance(first, Snapshot)
    assert first.chunks == (
        StoredChunk(number=0, state="queued", texts=64, result=None, fault=None),
        StoredChunk(number=1, state="committed", texts=1, result=stored(1), fault=None),
    )
    assert isinstance(second, Snapshot)
    assert second == Snapshot(jobs.status(waiting.id), ())
    assert isinstance(absent, UnknownJob)


def test_scripts_survive_a_redis_that_forgot_them(jobs: JobStore, store: redis.Redis) -> None:
    submit(jobs, ["a"])
    store.script_flush()
    submit(jobs, ["b"])


def test_the_record_lies_in_redis_as_documented(jobs: JobStore, store: redis.Redis) -> None:
    admitted = submit(jobs, ["one", "zwei"], model="default", options=Options(top_k=2), caller="me")
    record = store.hgetall(f"retort:job:{admitted.id}")
    times = {"created", "deadline"}
    assert times <= record.keys()
    golden = json.loads((Path(__file__).parents[1] / "golden" / "job_record.json").read_text(encoding="utf-8"))
    assert {name: value for name, value in record.items() if name not in times} == golden
