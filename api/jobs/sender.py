"""Tickets to Celery: as few messages as the limit on texts allows."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import redis
from celery import Celery
from celery.utils import uuid
from kombu.connection import Connection
from kombu.messaging import Producer
from kombu.transport import virtual

from contract.celery_config import celery_config
from contract.errors import StoreUnavailable
from contract.message import TASK, Lane, Ticket, pack, queue_name
from contract.redis_client import store_errors
from contract.settings import SharedSettings
from contract.webhooks import QUEUE as WEBHOOK_QUEUE
from contract.webhooks import TASK as NOTIFY

log = logging.getLogger(__name__)


class QueuedTicket(NamedTuple):
    """A ticket with what decides how it travels."""

    model: str
    lane: Lane
    ticket: Ticket
    texts: int


def messages(queued: Iterable[QueuedTicket], most_texts: int) -> Iterator[tuple[str, list[Ticket]]]:
    """The queue and the tickets of each message: tickets of one queue share one, up to `most_texts` texts."""
    by_queue: dict[str, list[QueuedTicket]] = {}
    for each in queued:
        by_queue.setdefault(queue_name(each.model, each.lane), []).append(each)
    for queue, waiting in by_queue.items():
        tickets: list[Ticket] = []
        texts = 0
        for each in waiting:
            if tickets and texts + each.texts > most_texts:
                yield queue, tickets
                tickets, texts = [], 0
            tickets.append(each.ticket)
            texts += each.texts
        yield queue, tickets


class MessageSender:
    """Sends tickets to their queues, for one thread.

    What it can't send stays in the job record, and the reconciler sends it later.
    """

    def __init__(self, client: redis.Redis, settings: SharedSettings) -> None:
        self._client = client
        self._celery = Celery("retort", config_source=celery_config(settings), set_as_current=False)
        self._channel = _CapturingChannel(Connection(transport=virtual.Transport).transport)  # type: ignore[no-untyped-call]
        self._producer = Producer(self._channel, auto_declare=False)  # type: ignore[no-untyped-call]
        self._most_texts = settings.chunk_texts

    def packed(self, queued: Iterable[QueuedTicket]) -> list[tuple[str, str]]:
        """The messages that bring every ticket: queues, and what is to be pushed to them."""
        return [
            (queue, self._pack(queue, TASK, pack(tickets))) for queue, tickets in messages(queued, self._most_texts)
        ]

    def notice(self, job_id: str) -> str:
        """The message that has the job's webhook delivered; whatever ends the job pushes it to the notifiers' queue."""
        return self._pack(WEBHOOK_QUEUE, NOTIFY, job_id)

    def send(self, queued: Iterable[QueuedTicket]) -> None:
        """Send every ticket; a failure is logged, never raised."""
        try:
            with store_errors():
                pipeline = self._client.pipeline(transaction=False)
                for queue, message in self.packed(queued):
                    pipeline.lpush(queue, message)
                pipeline.execute()
        except StoreUnavailable as error:
            log.warning("tickets are left to the reconciler", extra={"error": str(error)})

    def _pack(self, queue: str, name: str, argument: object) -> str:
        # `send_task` does the same and more: routes, and representations for events that nobody reads.
        task = self._celery.amqp.as_task_v2(
            uuid(), name, args=[argument], kwargs={}, argsrepr="", kwargsrepr="", ignore_result=True
        )
        self._producer.publish(  # type: ignore[no-untyped-call]
            task.body, exchange="", routing_key=queue, serializer="json", headers=task.headers, **task.properties
        )
        return self._channel.message


class _CapturingChannel(virtual.Channel):
    """A channel that sends nothing: it holds what kombu's channel to Redis would push to the queue.

    So a message can go to Redis by any connection, and in the same step as the job record.
    """

    message: str

    def _put(self, queue: str, message: dict[str, Any], **_: object) -> None:  # noqa: ARG002
        self.message = json.dumps(message)
