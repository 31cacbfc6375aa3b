"""What a sweep finds and sends again, on a real Redis with messages written by Celery."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace

import pytest
import redis
from celery import Celery

from contract.celery_config import celery_config
from contract.chunk_store import ChunkStore, Resend
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import JobState, NewJob
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import Lane, Ticket, queue_name
from contract.quarantine import Quarantine
from contract.settings import SharedSettings
from contract.sweep_store import SweepStore
from contract.unreadable import Unreadable
from harness.until import until
from worker.queueing import celery_app, reconciler
from worker.queueing.reconciler import Reconciler

ROOMY = Bounds(10_000, 10_000_000)


class Rig:
    """One worker's reconciler; what it sends is noted, and goes to the queue if `send_on` is true."""

    def __init__(self, store: redis.Redis, settings: SharedSettings, worker: str = "me") -> None:
        self.store, self.jobs, self.fleet = store, JobStore(store, settings), Fleet(store, settings)
        self.chunks = {name: ChunkStore(store, settings, worker=name) for name in (worker, "other")}
        self.app = Celery("retort", config_source=celery_config(settings), set_as_current=False)
        self.quarantine = Quarantine(store, settings)
        self.skipped: Counter[str] = Counter()
        self.sent: list[Ticket] = []
        self.send_on = True
        self.held: set[Ticket] = set()
        self.liveness_known = True
        self.models = ["m"]
        self.reconciler = Reconciler(
            records=SweepStore(store, jobs=self.jobs, quarantine=self.quarantine, worker=worker),
            fleet=self.fleet,
            chunks=self.chunks[worker],
            jobs=self.jobs,
            unreadable=Unreadable(lambda kind: self.skipped.update([kind])),
            models=lambda: self.models,
            send=self._send,
            held=lambda: self.held,
            liveness_known=lambda: self.liveness_known,
            interval_s=2.0,
        )

    def _send(self, resends: Sequence[Resend]) -> None:
        self.sent += [resend.ticket for resend in resends]
        if self.send_on:
            celery_app.send(self.app, resends)

    def submit(self, texts: int = 1, lane: Lane = Lane.INTERACTIVE, deadline_in_ms: int = 60_000) -> tuple[Ticket, ...]:
        job = NewJob(id=self.jobs.new_id(1), model="m", lane=lane, texts=["a"] * texts, deadline_in_ms=deadline_in_ms)
        [admitted] = self.jobs.submit([(job, ROOMY)])
        assert isinstance(admitted, Admitted)
        return admitted.tickets

    def queue(self, tickets: Sequence[Ticket], lane: Lane = Lane.INTERACTIVE) -> None:
        celery_app.send(self.app, [Resend(ticket, "m", lane) for ticket in tickets])

    def beat(self, worker: str) -> None:
        self.fleet.beat(WorkerStatus(id=worker, host="h", pid=1, state=WorkerState.READY, device="cpu", model="m"))

    def kill(self, worker: str) -> None:
        self.store.zincrby("retort:workers", -60_000, worker)

    def sweeps(self, times: int = 1) -> list[Ticket]:
        """What so many sweeps sent."""
        self.sent = []
        for _ in range(times):
            self.reconciler.sweep(self.models)
        return self.sent


@pytest.fixture
def rig(store: redis.Redis, settings: SharedSettings, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(reconciler, "SETTLED_AFTER_MS", -1)
    return Rig(store, settings)


def test_nothing_is_sent_while_every_ticket_is_where_it_should_be(rig: Rig) -> None:
    rig.beat("other")
    rig.queue(rig.submit())
    rig.queue(rig.submit(200, Lane.BULK), Lane.BULK)
    rig.chunks["other"].lease(rig.submit())
    assert rig.sweeps(5) == []


def test_a_ticket_that_is_in_no_queue_is_sent_again_once(rig: Rig) -> None:
    lost = rig.submit(200, Lane.BULK)
    rig.queue(lost[1:], Lane.BULK)
    assert rig.sweeps(1) == [lost[0]]
    assert rig.sweeps(5) == []
    assert rig.store.llen(queue_name("m", Lane.BULK)) == len(lost)


def test_tickets_in_messages_of_a_newer_release_or_of_nobody_are_sent_in_messages_of_this_one(rig: Rig) -> None:
    newer, junk = rig.submit(), rig.submit()
    queue = queue_name("m", Lane.INTERACTIVE)
    rig.queue(newer)
    message = json.loads(str(rig.store.lpop(queue)))
    body = [[{"schema": 2, "tickets": {"packed": [str(ticket) for ticket in newer]}}], {}, {}]
    rig.store.lpush(queue, json.dumps(message | {"body": base64.b64encode(json.dumps(body).encode()).decode()}))
    rig.store.lpush(queue, b"\xff junk")
    assert sorted(rig.sweeps(1)) == sorted((*newer, *junk))
    assert rig.sweeps(5) == []
    assert rig.skipped["message"] == 12


def test_a_ticket_that_a_worker_takes_during_the_sweep_is_not_sent(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets = rig.submit()
    look = rig.reconciler._queued_tickets

    def look_while_it_is_taken(model: str) -> set[Ticket]:
        rig.chunks["other"].lease(tickets)
        return look(model)

    monkeypatch.setattr(rig.reconciler, "_queued_tickets", look_while_it_is_taken)
    assert rig.sweeps(1) == []


def test_a_fresh_ticket_is_given_time_to_arrive(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "SETTLED_AFTER_MS", 3000)
    [ticket] = rig.submit()
    assert rig.sweeps(5) == []
    rig.store.zincrby("retort:queued:m", -3100, str(ticket))
    assert rig.sweeps(5) == [ticket]


def test_a_ticket_queued_before_the_clock_was_set_back_is_found(rig: Rig) -> None:
    [ticket] = rig.submit()
    rig.store.zincrby("retort:queued:m", 3_600_000, str(ticket))
    assert rig.sweeps(5) == [ticket]


def test_what_a_dead_worker_held_is_sent_at_once_and_the_worker_forgotten(rig: Rig) -> None:
    rig.beat("me")
    tickets = rig.submit(200, Lane.BULK)
    rig.chunks["other"].lease(tickets)
    rig.beat("other")
    assert rig.sweeps(3) == []
    rig.kill("other")
    assert sorted(rig.sweeps(1)) == sorted(tickets)
    assert rig.sweeps(3) == []
    assert (rig.fleet.dead(), rig.store.exists("retort:leased:other")) == ([], 0)
    assert rig.store.llen(queue_name("m", Lane.BULK)) == len(tickets)


def test_nobody_is_buried_before_the_live_had_time_to_say_so(rig: Rig) -> None:
    rig.chunks["other"].lease(rig.submit())
    rig.kill("other")
    rig.liveness_known = False
    assert rig.sweeps(5) == []
    rig.liveness_known = True
    assert len(rig.sweeps(1)) == 1


def test_a_message_that_can_not_be_sent_is_sent_by_a_later_sweep(rig: Rig) -> None:
    tickets = rig.submit()
    rig.chunks["other"].lease(tickets)
    rig.kill("other")
    rig.send_on = False
    assert set(rig.sweeps(1)) == set(tickets)
    rig.send_on = True
    assert rig.sweeps(1) == list(tickets)
    assert rig.sweeps(5) == []


def test_a_lease_that_its_worker_knows_nothing_of_is_given_up(rig: Rig) -> None:
    rig.beat("me")
    kept, forgotten = rig.submit(), rig.submit()
    rig.chunks["me"].lease([*kept, *forgotten])
    rig.held = set(kept)
    rig.reconciler.retry_forgotten()
    assert rig.sent == []
    rig.reconciler.retry_forgotten()
    assert rig.sent == list(forgotten)
    assert rig.chunks["me"].lease(forgotten)[0].attempt == 2  # type: ignore[union-attr]


def test_a_chunk_that_no_worker_can_read_becomes_a_dead_letter(rig: Rig, settings: SharedSettings) -> None:
    [ticket] = rig.submit()
    for _ in range(settings.max_attempts):
        rig.chunks["me"].lease([ticket])
        rig.reconciler.retry_forgotten()
        rig.reconciler.retry_forgotten()
    assert rig.jobs.status(ticket.job_id).state is JobState.FAILED
    [fault] = rig.jobs.chunk_faults(ticket.job_id, [0])
    assert fault is not None
    assert "log" in fault


def test_a_deadline_whose_job_is_gone_or_has_ended_is_forgotten(rig: Rig) -> None:
    [ended] = rig.submit(deadline_in_ms=0)
    rig.store.hset(f"retort:job:{ended.job_id}", "state", "succeeded")
    rig.store.zadd("retort:deadlines", {"nowhere": 1})
    [overdue] = rig.submit(deadline_in_ms=0)
    rig.sweeps()
    assert rig.store.zcard("retort:deadlines") == 0
    assert rig.jobs.status(ended.job_id).state is JobState.SUCCEEDED
    assert rig.jobs.status(overdue.job_id).state is JobState.EXPIRED


def test_a_job_past_its_deadline_is_ended(rig: Rig) -> None:
    [ticket] = rig.submit(deadline_in_ms=0)
    rig.sweeps(1)
    assert rig.jobs.status(ticket.job_id).state is JobState.EXPIRED


def test_one_worker_sweeps_until_it_stops(rig: Rig, store: redis.Redis, settings: SharedSettings) -> None:
    second = Rig(store, settings, "second")
    assert rig.reconciler._take_locks()
    assert not second.reconciler._take_locks()
    assert rig.reconciler._take_locks()
    rig.reconciler.start()
    rig.reconciler.stop()
    assert second.reconciler._take_locks()


def test_the_sweepers_of_two_models_do_not_wait_for_each_other(
    rig: Rig, store: redis.Redis, settings: SharedSettings
) -> None:
    second = Rig(store, settings, "second")
    second.models = ["another"]
    assert rig.reconciler._take_locks()
    assert second.reconciler._take_locks()


def test_a_sweeper_that_does_not_know_the_dead_leaves_the_lock_to_one_that_does(
    rig: Rig, store: redis.Redis, settings: SharedSettings
) -> None:
    second = Rig(store, settings, "second")
    rig.liveness_known = False
    assert rig.reconciler._take_locks()
    rig.reconciler._release_locks_unless_liveness_known(["m"])
    assert second.reconciler._take_locks()
    second.reconciler._release_locks_unless_liveness_known(["m"])
    assert not rig.reconciler._take_locks()


def test_the_loop_goes_on_after_a_sweep_that_failed(rig: Rig) -> None:
    rig.store.set("retort:deadlines", "not a set")
    rig.reconciler._interval_s = 0.01
    rig.reconciler.start()
    until(lambda: rig.store.exists("retort:sweeper:m"))
    rig.store.delete("retort:deadlines")
    [ticket] = rig.submit(deadline_in_ms=0)
    until(lambda: rig.jobs.status(ticket.job_id).state is JobState.EXPIRED)
    rig.reconciler.stop()


@pytest.mark.parametrize(
    ("slow", "clock", "pause_s"),
    [("repair", "thread_time", 2.0), ("messages", "monotonic", 2.0), ("messages", "thread_time", 60.0)],
)
def test_work_at_the_queues_puts_the_next_sweep_off_and_neither_a_repair_nor_a_slow_link_does(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, slow: str, clock: str, pause_s: float
) -> None:
    clocks = {"thread_time": 0.0, "monotonic": 0.0}
    does = getattr(SweepStore, slow)

    def takes_three_seconds(*asked: object) -> object:
        clocks[clock] += 3.0
        return does(*asked)

    [ticket] = rig.submit()
    rig.store.zadd("retort:queued:m", {str(ticket): 1})
    monkeypatch.setattr(SweepStore, slow, takes_three_seconds)
    reads = {name: lambda name=name: clocks[name] for name in clocks}
    monkeypatch.setattr(reconciler, "time", SimpleNamespace(**reads))
    rig.reconciler.sweep(["m"])
    assert rig.reconciler.loop.pause_s == pause_s
