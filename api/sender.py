"""Tickets to Celery: as few messages as the limit on texts allows, over one connection that stays open."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from celery import Celery
from celery.utils import uuid
from kombu.exceptions import OperationalError
from kombu.messaging import Producer

from contract.celery_config import celery_config
from contract.message import TASK, Lane, Ticket, pack, queue_name
from contract.settings import SharedSettings

log = logging.getLogger(__name__)


class Parcel(NamedTuple):
    """A ticket with what decides how it travels."""

    model: str
    lane: Lane
    ticket: Ticket
    texts: int


def messages(parcels: Iterable[Parcel], most_texts: int) -> Iterator[tuple[str, list[Ticket]]]:
    """The queue and the tickets of each message: parcels of one queue share one, up to `most_texts` texts."""
    by_queue: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        by_queue.setdefault(queue_name(parcel.model, parcel.lane), []).append(parcel)
    for queue, waiting in by_queue.items():
        tickets: list[Ticket] = []
        texts = 0
        for parcel in waiting:
            if tickets and texts + parcel.texts > most_texts:
                yield queue, tickets
                tickets, texts = [], 0
            tickets.append(parcel.ticket)
            texts += parcel.texts
        yield queue, tickets


class Sender:
    """Sends tickets from one thread. What can't be sent stays in the job record, and the reconciler sends it later."""

    def __init__(self, settings: SharedSettings) -> None:
        self._celery = Celery("retort", config_source=celery_config(settings), set_as_current=False)
        self._most_texts = settings.chunk_texts
        self._producer: Producer | None = None

    def send(self, parcels: Iterable[Parcel]) -> None:
        """Send every ticket; a failure is logged, never raised."""
        for queue, tickets in messages(parcels, self._most_texts):
            try:
                self._send(queue, pack(tickets))
            except (OperationalError, OSError) as error:
                log.warning("tickets are left to the reconciler", extra={"queue": queue, "error": str(error)})
                return

    def _send(self, queue: str, message: dict[str, Any]) -> None:
        try:
            self._send_once(queue, message)
        except (OperationalError, OSError):
            # A connection that stayed open may have died while it was idle; a fresh one decides.
            self.close()
            self._send_once(queue, message)

    def _send_once(self, queue: str, message: dict[str, Any]) -> None:
        if self._producer is None:
            self._producer = Producer(self._celery.connection_for_write(), auto_declare=False)  # type: ignore[no-untyped-call]
        # What `send_task` does besides (routes, representations for events that nobody reads) takes longer than this.
        task = self._celery.amqp.as_task_v2(
            uuid(), TASK, args=[message], kwargs={}, argsrepr="", kwargsrepr="", ignore_result=True
        )
        self._producer.publish(  # type: ignore[no-untyped-call]
            task.body, exchange="", routing_key=queue, serializer="json", headers=task.headers, **task.properties
        )

    def close(self) -> None:
        """Drop the connection; the next message opens another."""
        if self._producer is not None:
            self._producer.connection.release()
            self._producer = None
