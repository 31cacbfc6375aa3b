"""The job record against a model of it in plain Python: any interleaving of any transitions, compared after each.

Drawn sequences of submit, lease, start, commit, give back, give up, death of a worker, loss of a message, cancel,
delete, expiry and re-drive run on a real Redis and on `ModelJob`. After every step the whole of Redis must be what the
model says: states, texts, results, leases, queues, backlog, deadlines, dead letters, and how often jobs have ended.
"""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest
import redis
from hypothesis import HealthCheck, assume
from hypothesis import settings as configure
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from contract.chunk_store import ChunkStore, Resend, Skipped
from contract.dead_letters import DeadLetters
from contract.errors import GoneJob
from contract.fleet import Fleet
from contract.job_record import Backlog, Commit, JobState, Lease, NewJob, Webhook, dump_texts
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import Lane, Ticket
from contract.settings import SharedSettings
from contract.webhooks import QUEUE
from harness.redis_server import RedisServer
from tests.job_record_model import HELD, MAX_ATTEMPTS, OPEN, ModelChunk, ModelJob

MODEL = "m"
CHUNK_TEXTS = 2
ROOMY = Bounds(10_000, 10_000_000)
WORKERS = ("w1", "w2")


class JobRecord(RuleBasedStateMachine):
    """Both records, side by side."""

    tickets: Bundle[Ticket] = Bundle("tickets")

    def __init__(self, store: redis.Redis, settings: SharedSettings) -> None:
        super().__init__()
        store.flushall()
        self.store = store
        self.jobs = JobStore(store, settings)
        self.chunks = {worker: ChunkStore(store, settings, worker=worker) for worker in WORKERS}
        self.letters = DeadLetters(store, settings)
        self.fleet = Fleet(store, settings)
        self.model: dict[str, ModelJob] = {}
        self.drained: Counter[Lane] = Counter()
        self.deleted_ends: Counter[JobState] = Counter()
        self.number = 0

    def chunk(self, ticket: Ticket) -> tuple[ModelJob | None, ModelChunk | None]:
        job = self.model.get(ticket.job_id)
        return job, job.chunks[ticket.chunk] if job else None

    @rule(
        target=tickets,
        texts=st.lists(st.sampled_from(["", "a", "ü", "ab\n"]), min_size=1, max_size=5),
        lane=st.sampled_from(Lane),
        due=st.sampled_from([False, False, False, True]),
        twice=st.booleans(),
    )
    def submit(self, texts: list[str], lane: Lane, due: bool, twice: bool) -> MultipleResults[Ticket]:
        self.number += 1
        job = NewJob(
            id=self.jobs.new_id(self.number),
            model=MODEL,
            lane=lane,
            texts=texts,
            deadline_in_ms=0 if due else 3_600_000,
            webhook=Webhook("https://hooks.example.com/", "shop", "the message"),
        )
        chunks = [ModelChunk(tuple(texts[start : start + CHUNK_TEXTS])) for start in range(0, len(texts), CHUNK_TEXTS)]
        self.model[job.id] = ModelJob(lane, due, chunks)
        tickets = tuple(Ticket(job.id, number) for number in range(len(chunks)))
        for _ in range(1 + twice):
            assert self.jobs.submit([(job, ROOMY)]) == [Admitted(job.id, tickets)]
        return multiple(*tickets)

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def lease(self, ticket: Ticket, worker: str) -> None:
        [answer] = self.chunks[worker].lease([ticket])
        job, chunk = self.chunk(ticket)
        if job is None or chunk is None:
            assert answer == Skipped(ticket, "gone")
        elif not job.is_open:
            assert answer == Skipped(ticket, job.state)
        elif job.due:
            job.abandon(JobState.EXPIRED)
            assert answer == Skipped(ticket, "expired")
        elif chunk.state == "queued" or chunk.is_held_by(worker):
            if chunk.state == "queued":
                chunk.state, chunk.worker = "leased", worker
            job.state = JobState.RUNNING
            assert isinstance(answer, Lease)
            assert (answer.texts, answer.attempt) == (chunk.texts, chunk.attempts + 1)
        else:
            assert answer == Skipped(ticket, "leased" if chunk.state in HELD else chunk.state)

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def start(self, ticket: Ticket, worker: str) -> None:
        started = self.chunks[worker].start(ticket)
        job, chunk = self.chunk(ticket)
        assert started == bool(job and chunk and job.is_open and chunk.is_held_by(worker))
        if started and chunk:
            chunk.state = "running"

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def commit(self, ticket: Ticket, worker: str) -> None:
        self.number += 1
        [first] = self.chunks[worker].commit([Commit(ticket=ticket, version="v1", result=str(self.number), errors=0)])
        job, chunk = self.chunk(ticket)
        assert first == bool(job and chunk and job.is_open and chunk.state in OPEN)
        if first and job and chunk:
            chunk.state, chunk.result = "committed", str(self.number)
            job.settle()

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def give_back(self, ticket: Ticket, worker: str) -> None:
        self.expect_return(ticket, self.chunks[worker].give_back([ticket]), worker, failed=False)

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def give_up(self, ticket: Ticket, worker: str) -> None:
        self.expect_return(ticket, self.chunks[worker].give_up([ticket], "it can't be read"), worker, failed=True)

    @rule(worker=st.sampled_from(WORKERS))
    def die(self, worker: str) -> None:
        """As the reconciler buries a worker: everything it holds is reclaimed."""
        held = [Ticket.parse(str(text)) for text in self.store.smembers(f"retort:leased:{worker}")]
        for ticket in held:
            _, chunk = self.chunk(ticket)
            assert chunk is not None
            failed = chunk.attempts == 0 or chunk.state == "running"
            self.expect_return(ticket, self.chunks["w1"].reclaim([ticket], worker, "it died"), worker, failed=failed)
        self.fleet.leave(worker)
        assert self.store.zscore("retort:workers", worker) is None

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def fail_for_good(self, ticket: Ticket, worker: str) -> None:
        """Dead letters would be rare otherwise."""
        for _ in range(MAX_ATTEMPTS):
            self.lease(ticket, worker)
            self.give_up(ticket, worker)

    @rule(ticket=tickets, worker=st.sampled_from(WORKERS))
    def succeed(self, ticket: Ticket, worker: str) -> None:
        self.lease(ticket, worker)
        self.commit(ticket, worker)

    @rule(ticket=tickets)
    def lose_message(self, ticket: Ticket) -> None:
        resends = self.chunks["w1"].resend_lost([ticket], MODEL)
        job, chunk = self.chunk(ticket)
        lost = bool(job and chunk and job.is_open and chunk.state == "queued")
        if lost and job and chunk and chunk.attempts >= MAX_ATTEMPTS:
            lost = job.queue_again(chunk, failed=False)
        assert resends == ([Resend(ticket, MODEL, job.lane)] if lost and job else [])

    def expect_return(self, ticket: Ticket, resends: list[Resend], worker: str, *, failed: bool) -> None:
        job, chunk = self.chunk(ticket)
        sent = bool(job and chunk and job.is_open and chunk.is_held_by(worker) and job.queue_again(chunk, failed))
        assert resends == ([Resend(ticket, MODEL, job.lane)] if sent and job else [])

    @rule(ticket=tickets)
    def remove(self, ticket: Ticket) -> None:
        job = self.model.get(ticket.job_id)
        if job is None:
            with pytest.raises(GoneJob):
                self.jobs.remove(ticket.job_id)
        elif job.is_open:
            assert self.jobs.remove(ticket.job_id) == "cancelled"
            job.abandon(JobState.CANCELLED)
        else:
            assert self.jobs.remove(ticket.job_id) == "deleted"
            self.deleted_ends += self.model.pop(ticket.job_id).ends

    @rule(ticket=tickets)
    def expire(self, ticket: Ticket) -> None:
        job = self.model.get(ticket.job_id)
        ended = self.jobs.expire(ticket.job_id)
        assert ended == bool(job and job.is_open and job.due)
        if ended and job:
            job.abandon(JobState.EXPIRED)

    @rule(ticket=tickets)
    def redrive(self, ticket: Ticket) -> None:
        resends = self.letters.redrive(ticket, deadline_s=3600)
        job, chunk = self.chunk(ticket)
        dead = bool(job and chunk and job.state in (JobState.FAILED, JobState.RUNNING) and chunk.state == "dead")
        assert resends == ([Resend(ticket, MODEL, job.lane)] if dead and job else [])
        if dead and job and chunk:
            chunk.state, chunk.attempts, chunk.worker = "queued", 1, ""
            job.state, job.due = JobState.RUNNING, False

    @rule()
    def forget_scripts(self) -> None:
        assume(self.model)
        self.store.script_flush()

    def open_chunks(self, *states: str) -> list[tuple[str, ModelJob, ModelChunk]]:
        return [
            (f"{job_id}/{number}", job, chunk)
            for job_id, job in self.model.items()
            for number, chunk in enumerate(job.chunks)
            if chunk.state in states
        ]

    @invariant()
    def records_agree(self) -> None:
        for job_id, job in self.model.items():
            status = self.jobs.status(job_id)
            counted = Counter(chunk.state for chunk in job.chunks)
            done = sum(len(chunk.texts) for chunk in job.chunks if chunk.state == "committed")
            assert (status.state, status.done, status.dead) == (job.state, done, counted["dead"])
            assert (self.store.ttl(f"retort:job:{job_id}") == -1) == job.is_open
            self.chunks_agree(job_id, job)

    def chunks_agree(self, job_id: str, job: ModelJob) -> None:
        record = cast("dict[str, str]", self.store.hgetall(f"retort:job:{job_id}"))
        for number, chunk in enumerate(job.chunks):
            state, attempts, worker, *_ = record[f"c:{number}"].split("|")
            assert (state, int(attempts)) == (chunk.state, chunk.attempts)
            assert chunk.state not in HELD or worker == chunk.worker
            keeps_texts = chunk.state in OPEN or (
                chunk.state == "dead" and (job.is_open or job.state is JobState.FAILED)
            )
            assert record.get(f"t:{number}") == (dump_texts(chunk.texts) if keeps_texts else None)
            assert record.get(f"r:{number}") == (None if job.state is JobState.CANCELLED else chunk.result)

    @invariant()
    def indices_agree(self) -> None:
        queued = {ticket for ticket, _, _ in self.open_chunks("queued")}
        assert set(self.store.zrange(f"retort:queued:{MODEL}", 0, -1)) == queued
        for worker in WORKERS:
            held = {ticket for ticket, _, chunk in self.open_chunks(*HELD) if chunk.worker == worker}
            assert self.store.smembers(f"retort:leased:{worker}") == held
            assert not held or self.store.zscore("retort:workers", worker) is not None
        assert set(self.store.zrange("retort:deadlines", 0, -1)) == {
            job_id for job_id, job in self.model.items() if job.is_open
        }
        assert {job.id for job in self.jobs.recent("", 0, 1000)} == self.model.keys()
        kept = {ticket for ticket, job, _ in self.open_chunks("dead") if job.is_open or job.state is JobState.FAILED}
        assert set(map(str, self.letters.tickets())) == kept

    @invariant()
    def backlog_is_the_sum_of_the_open_chunks(self) -> None:
        for lane in Lane:
            waiting = [chunk for _, job, chunk in self.open_chunks(*OPEN) if job.lane is lane]
            found = self.jobs.backlog(MODEL, lane)
            texts, size = sum(len(chunk.texts) for chunk in waiting), sum(chunk.size for chunk in waiting)
            assert found == Backlog(texts, size, found.drained)
            assert found.drained >= self.drained[lane]
            self.drained[lane] = found.drained

    @invariant()
    def every_end_is_counted_once_and_owes_one_webhook(self) -> None:
        ends = sum((job.ends for job in self.model.values()), self.deleted_ends)
        totals = self.jobs.totals()
        assert {state: totals.get(state, 0) for state in JobState if not state.is_open} == {
            state: ends[state] for state in JobState if not state.is_open
        }
        assert totals.get("webhooks_owed", 0) == ends.total() == self.store.llen(QUEUE)

    def teardown(self) -> None:
        for job_id, job in list(self.model.items()):
            for _ in range(1 + job.is_open):
                self.jobs.remove(job_id)
        for worker in WORKERS:
            self.fleet.leave(worker)
        left = {key for key in cast("list[str]", self.store.keys("*")) if "webhook" not in key}
        assert left <= {f"retort:backlog:{MODEL}", "retort:totals", "retort:id-key"}


@pytest.mark.timeout(400)  # minutes on a machine that has much else to do
def test_the_record_is_what_the_model_says_after_any_sequence_of_transitions(
    store: redis.Redis, redis_server: RedisServer
) -> None:
    settings = SharedSettings(chunk_texts=CHUNK_TEXTS, max_attempts=MAX_ATTEMPTS, redis_url=redis_server.url)
    run_state_machine_as_test(
        lambda: JobRecord(store, settings),  # type: ignore[arg-type]  # any callable will do
        settings=configure(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
