"""Webhooks that are owed, in a real Redis: each end of a job owes one, and it is owed until it is known to be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis

from contract.chunk_store import ChunkStore
from contract.dead_letters import DeadLetters
from contract.job_record import Commit, NewJob, Webhook
from contract.job_store import Admitted, Bounds, JobStore, Owing
from contract.message import Lane, Ticket
from contract.settings import SharedSettings
from contract.webhooks import BUSY_MS, ON_ITS_WAY_MS, QUEUE, Outcome, OwedWebhook, WebhookLedger

ROOMY = Bounds(texts=10_000, bytes=10_000_000)
HOOK = Webhook("https://hooks.example.com/", "shop", "the message")


@pytest.fixture
def settings(settings: SharedSettings) -> SharedSettings:
    return settings.model_copy(update={"max_attempts": 1})


@pytest.fixture
def jobs(store: redis.Redis, settings: SharedSettings) -> JobStore:
    return JobStore(store, settings)


@pytest.fixture
def chunks(store: redis.Redis, settings: SharedSettings) -> ChunkStore:
    return ChunkStore(store, settings, worker="w1")


@pytest.fixture
def ledger(store: redis.Redis, settings: SharedSettings) -> WebhookLedger:
    return WebhookLedger(store, settings)


def submit(jobs: JobStore, webhook: Webhook = HOOK, **more: Any) -> Ticket:
    fields: dict[str, Any] = {"model": "m", "lane": Lane.INTERACTIVE, "deadline_in_ms": 60_000, **more}
    job = NewJob(id=jobs.new_id(jobs.now_ms()), texts=["a", "b"], webhook=webhook, **fields)
    [admitted] = jobs.submit([(job, ROOMY)])
    assert isinstance(admitted, Admitted)
    return admitted.tickets[0]


def succeed(ticket: Ticket, chunks: ChunkStore) -> None:
    chunks.lease([ticket])
    result = '{"version":"v1","predictions":[1,{"error":{}}]}'
    assert chunks.commit([Commit(ticket=ticket, version="v1", result=result, errors=1)]) == [True]


def take(ledger: WebhookLedger, job_id: str, *, lease_s: float = 60, most_of_key: int = 9) -> OwedWebhook | None:
    return ledger.take(job_id, lease_s=lease_s, most_of_key=most_of_key)


def taken(ledger: WebhookLedger, job_id: str) -> OwedWebhook:
    found = take(ledger, job_id)
    assert found is not None
    return found


def fail(ticket: Ticket, jobs: JobStore, chunks: ChunkStore) -> None:  # noqa: ARG001
    chunks.lease([ticket])
    chunks.give_up([ticket], "it fails")


def cancel(ticket: Ticket, jobs: JobStore, chunks: ChunkStore) -> None:  # noqa: ARG001
    jobs.remove(ticket.job_id)


def expire(ticket: Ticket, jobs: JobStore, chunks: ChunkStore) -> None:  # noqa: ARG001
    assert jobs.expire(ticket.job_id)


def expire_at_lease(ticket: Ticket, jobs: JobStore, chunks: ChunkStore) -> None:  # noqa: ARG001
    chunks.lease([ticket])


ENDS: list[tuple[str, int, Callable[[Ticket, JobStore, ChunkStore], None]]] = [
    ("succeeded", 60_000, lambda ticket, _, chunks: succeed(ticket, chunks)),
    ("failed", 60_000, fail),
    ("cancelled", 60_000, cancel),
    ("expired", 0, expire),
    ("expired", 0, expire_at_lease),
]


@pytest.mark.parametrize(("state", "deadline_in_ms", "end"), ENDS)
def test_every_way_in_which_a_job_ends_owes_one_webhook(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis, state: str, deadline_in_ms: int,
    end: Callable[[Ticket, JobStore, ChunkStore], None],
) -> None:  # fmt: skip
    ticket = submit(jobs, deadline_in_ms=deadline_in_ms)
    assert (ledger.count_owed(), store.llen(QUEUE)) == (0, 0)
    end(ticket, jobs, chunks)
    assert jobs.status(ticket.job_id).state == state
    assert (ledger.count_owed(), store.lrange(QUEUE, 0, -1)) == (1, [HOOK.message])
    owed = taken(ledger, ticket.job_id)
    assert (owed.state, owed.address, owed.signer, owed.id) == (state, *HOOK[:2], f"{ticket.job_id}-1")


def test_it_says_what_the_job_says(jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    status, owed = jobs.status(ticket.job_id), taken(ledger, ticket.job_id)
    assert (owed.model, owed.version, owed.texts, owed.done, owed.errors) == ("m", "v1", 2, 2, 1)
    assert owed.finished_ms == status.finished_ms


def test_a_job_that_asked_for_none_owes_none(jobs: JobStore, chunks: ChunkStore, store: redis.Redis) -> None:
    succeed(submit(jobs, Webhook("", "")), chunks)
    assert store.keys("*webhook*") == []


def make_due(store: redis.Redis, job_id: str) -> None:
    store.hset(f"retort:webhook:{job_id}", "due", 0)


def test_each_attempt_sends_the_same_whatever_becomes_of_the_job(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    before = taken(ledger, ticket.job_id)
    assert jobs.remove(ticket.job_id) == "deleted"
    make_due(store, ticket.job_id)
    again = taken(ledger, ticket.job_id)
    assert (again.payload, again.id) == (before.payload, before.id)


def test_one_that_is_taken_is_nobody_elses(jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    assert take(ledger, ticket.job_id) is not None
    assert take(ledger, ticket.job_id) is None


def test_one_whose_notifier_died_is_due_again_and_a_sweep_names_it_once(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    assert ledger.overdue(9) == []
    assert take(ledger, ticket.job_id, lease_s=0) is not None
    assert ledger.overdue(9) == [ticket.job_id]
    assert WebhookLedger(store, SharedSettings()).overdue(9) == []
    again = taken(ledger, ticket.job_id)
    assert again.attempt == 2


def test_one_whose_message_never_came_is_found(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    store.delete(QUEUE)
    store.zincrby("retort:webhooks", -ON_ITS_WAY_MS, ticket.job_id)
    assert ledger.overdue(9) == [ticket.job_id]


def test_one_that_is_delivered_is_owed_no_more(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    ledger.settle(taken(ledger, ticket.job_id), Outcome.DELIVERED)
    assert take(ledger, ticket.job_id) is None
    assert store.keys("retort:webhook*") == []
    assert (jobs.totals()["webhooks_owed"], jobs.totals()["webhooks_delivered"]) == (1, 1)


def test_one_that_failed_is_due_after_its_pause(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    ledger.postpone(taken(ledger, ticket.job_id), "it answered 500", 60, has_message=True)
    assert take(ledger, ticket.job_id) is None
    make_due(store, ticket.job_id)
    ledger.postpone(taken(ledger, ticket.job_id), "it answered 500", 0, has_message=False)
    assert ledger.overdue(9) == [ticket.job_id]
    assert taken(ledger, ticket.job_id).attempt == 3


def test_one_that_is_given_up_is_listed_and_tried_anew(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger
) -> None:
    ticket = submit(jobs)
    succeed(ticket, chunks)
    ledger.settle(taken(ledger, ticket.job_id), Outcome.DEAD, "nobody answers")
    [dead] = ledger.dead()
    assert (dead.job_id, dead.address, dead.attempts, dead.why) == (ticket.job_id, HOOK.address, 1, "nobody answers")
    assert (ledger.count_owed(), ledger.count_dead(), take(ledger, ticket.job_id)) == (0, 1, None)

    assert ledger.redrive(ticket.job_id)
    assert not ledger.redrive(ticket.job_id)
    assert ledger.overdue(9) == [ticket.job_id]
    assert taken(ledger, ticket.job_id).attempt == 1
    assert ledger.dead() == []


def test_a_receiver_that_wants_no_more_gets_no_more_from_this_key(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger
) -> None:
    first, second, other, later = (submit(jobs, hook) for hook in (HOOK, HOOK, HOOK._replace(signer="b"), HOOK))
    for ticket in (first, second, other):
        succeed(ticket, chunks)
    ledger.settle(taken(ledger, first.job_id), Outcome.DISABLED)
    assert ledger.disabled() == [HOOK.address]
    assert take(ledger, second.job_id) is None
    assert take(ledger, other.job_id) is not None
    assert jobs.totals()["webhooks_disabled"] == 2

    assert ledger.enable(HOOK.address) == 1
    succeed(later, chunks)
    assert take(ledger, later.job_id) is not None
    assert ledger.count_owed() == 2


def test_a_job_that_ends_anew_is_told_of_anew_and_an_old_attempt_settles_nothing(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis, settings: SharedSettings
) -> None:
    ticket = submit(jobs)
    fail(ticket, jobs, chunks)
    old = taken(ledger, ticket.job_id)
    assert DeadLetters(store, settings).redrive(ticket, 60)
    succeed(ticket, chunks)
    ledger.settle(old, Outcome.DELIVERED)
    new = taken(ledger, ticket.job_id)
    assert (old.id, old.state, new.id, new.state) == (f"{ticket.job_id}-1", "failed", f"{ticket.job_id}-2", "succeeded")


def test_one_keys_receiver_can_not_take_all_the_time_of_the_notifiers(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    tickets = [submit(jobs) for _ in range(3)]
    for ticket in tickets:
        succeed(ticket, chunks)
    other = submit(jobs, HOOK._replace(signer="b"))
    succeed(other, chunks)
    found = [take(ledger, ticket.job_id, most_of_key=2) for ticket in (*tickets, other)]
    assert [each is not None for each in found] == [True, True, False, True]
    store.zincrby("retort:webhooks", -BUSY_MS, tickets[2].job_id)
    assert ledger.overdue(9) == [tickets[2].job_id]


def test_a_key_whose_receiver_takes_nothing_gets_no_more_jobs_with_webhooks(jobs: JobStore, store: redis.Redis) -> None:
    store.zadd("retort:webhooks:of:shop", {f"job {number}": 0 for number in range(10_000)})
    job = NewJob(id=jobs.new_id(1), model="m", lane=Lane.INTERACTIVE, texts=["a"], deadline_in_ms=1, webhook=HOOK)
    assert jobs.submit([(job, ROOMY)]) == [Owing(10_000)]
    submit(jobs, HOOK._replace(signer="b"))
    submit(jobs, Webhook("", ""))


@pytest.mark.parametrize("key", ["retort:webhooks", "retort:webhooks:of:shop", "retort:webhooks:dead", QUEUE])
def test_a_list_that_a_stranger_damaged_is_made_anew(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis, key: str
) -> None:
    before, ticket = submit(jobs), submit(jobs)
    succeed(before, chunks)
    ledger.overdue(9)
    store.delete(key)
    store.set(key, "a stranger's")
    succeed(ticket, chunks)
    ledger.overdue(9)
    assert ledger.count_owed() == 2
    assert {taken(ledger, each.job_id).job_id for each in (before, ticket)} == {before.job_id, ticket.job_id}


def test_damage_to_one_webhook_is_nobody_elses(
    jobs: JobStore, chunks: ChunkStore, ledger: WebhookLedger, store: redis.Redis
) -> None:
    odd, ticket = submit(jobs), submit(jobs)
    succeed(ticket, chunks)
    succeed(odd, chunks)
    store.delete(f"retort:webhook:{odd.job_id}")
    store.set(f"retort:webhook:{odd.job_id}", "junk")
    assert take(ledger, odd.job_id) is None
    assert take(ledger, "no job") is None
    assert take(ledger, ticket.job_id) is not None
    assert ledger.count_owed() == 1
