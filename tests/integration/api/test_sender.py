"""Tickets on their way to the queue: the messages must be those that Celery itself would send."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
import redis
from celery import Celery

from api.jobs.sender import MessageSender, QueuedTicket
from api.jobs.submitter import JobSubmitter
from api.settings import ApiSettings
from contract.celery_config import celery_config
from contract.job_record import NewJob
from contract.job_store import Admitted, Bounds, JobStore, Refused
from contract.message import TASK, Lane, Ticket, pack, queue_name, unpack
from contract.prediction import Options
from contract.redis_client import connect
from contract.webhooks import QUEUE as WEBHOOKS
from contract.webhooks import TASK as NOTIFY

QUEUE = queue_name("m", Lane.INTERACTIVE)
ROOMY = Bounds(texts=10**6, bytes=10**9)
OWN = {"id", "root_id", "argsrepr", "kwargsrepr"}
"""Headers that differ from message to message, or that only people read."""


@pytest.fixture
def jobs(store: redis.Redis, settings: ApiSettings) -> JobStore:
    return JobStore(store, settings)


def queued(store: redis.Redis, queue: str = QUEUE) -> list[dict[str, Any]]:
    """The messages in the order in which they are read."""
    return [json.loads(message) for message in reversed(cast("list[str]", store.lrange(queue, 0, -1)))]


def tickets(message: dict[str, Any]) -> Sequence[Ticket]:
    [argument], _, _ = json.loads(base64.b64decode(message["body"]))
    return unpack(argument)


def new_job(jobs: JobStore, texts: int, lane: Lane = Lane.INTERACTIVE) -> NewJob:
    return NewJob(
        id=jobs.new_id(0), model="m", lane=lane, texts=("a",) * texts, deadline_in_ms=60_000, options=Options()
    )


def comparable(message: dict[str, Any]) -> dict[str, Any]:
    headers = {name: value for name, value in message["headers"].items() if name not in OWN}
    properties = message["properties"] | {"correlation_id": "", "delivery_tag": "", "reply_to": ""}
    return message | {"headers": headers, "properties": properties}


def test_the_message_of_a_webhook_is_the_one_that_celery_sends(store: redis.Redis, settings: ApiSettings) -> None:
    celery = Celery("other", config_source=celery_config(settings), set_as_current=False)
    celery.send_task(NOTIFY, args=["job"], queue=WEBHOOKS, ignore_result=True)
    [theirs] = queued(store, WEBHOOKS)
    assert comparable(json.loads(MessageSender(store, settings).notice("job"))) == comparable(theirs)


def test_a_message_is_the_one_that_celery_sends(store: redis.Redis, settings: ApiSettings) -> None:
    ticket = Ticket("job", 0)
    MessageSender(store, settings).send([QueuedTicket("m", Lane.INTERACTIVE, ticket, 1)])
    celery = Celery("other", config_source=celery_config(settings), set_as_current=False)
    celery.send_task(TASK, args=[pack([ticket])], queue=QUEUE, ignore_result=True)
    ours, theirs = queued(store)
    assert comparable(ours) == comparable(theirs)


@pytest.mark.parametrize(("lane", "texts"), [(Lane.INTERACTIVE, 1), (Lane.INTERACTIVE, 200), (Lane.BULK, 1000)])
def test_a_job_that_comes_alone_is_in_the_queue_when_it_is_in_the_record(
    store: redis.Redis, settings: ApiSettings, jobs: JobStore, lane: Lane, texts: int
) -> None:
    submitter = JobSubmitter(store, jobs, settings)
    job = new_job(jobs, texts, lane)
    admitted = submitter.admit(job, ROOMY)
    submitter.close()
    assert isinstance(admitted, Admitted)
    sent = [ticket for message in queued(store, queue_name("m", lane)) for ticket in tickets(message)]
    assert sent == list(admitted.tickets)


def test_what_is_not_admitted_is_not_in_the_queue(store: redis.Redis, settings: ApiSettings, jobs: JobStore) -> None:
    submitter = JobSubmitter(store, jobs, settings)
    assert isinstance(submitter.admit(new_job(jobs, 10), ROOMY), Admitted)
    assert isinstance(submitter.admit(new_job(jobs, 10), Bounds(texts=15, bytes=10**9)), Refused)
    submitter.close()
    assert len(queued(store)) == 1


def test_an_admission_that_is_sent_twice_is_queued_once(store: redis.Redis, jobs: JobStore) -> None:
    job = new_job(jobs, 1)
    for _ in range(2):
        assert isinstance(jobs.submit_and_send(job, ROOMY, [(QUEUE, "{}")]), Admitted)
    assert queued(store) == [{}]


def test_jobs_that_come_together_share_messages(store: redis.Redis, settings: ApiSettings, jobs: JobStore) -> None:
    made = [new_job(jobs, 1) for _ in range(3)]
    admissions = jobs.submit([(job, ROOMY) for job in made])
    assert queued(store) == []
    MessageSender(store, settings).send(QueuedTicket("m", Lane.INTERACTIVE, Ticket(job.id, 0), 1) for job in made)
    [message] = queued(store)
    assert list(tickets(message)) == [ticket for answer in admissions for ticket in cast("Admitted", answer).tickets]


def test_a_sender_without_redis_leaves_the_tickets_to_the_reconciler(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = ApiSettings(redis_url="redis://127.0.0.1:1/0")
    MessageSender(connect(nowhere), nowhere).send([QueuedTicket("m", Lane.INTERACTIVE, Ticket("job", 0), 1)])
    assert "tickets are left to the reconciler" in caplog.text
