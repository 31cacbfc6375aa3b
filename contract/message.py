"""What travels on the queue: a Celery message that holds tickets, and a ticket points at a chunk of a job.

The texts stay in the job record. So a message is small, can be sent again at no cost but time, and may carry tickets
of several jobs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

SCHEMA = 1
TASK = "retort.predict"
TICKET = re.compile(r"[^/\s]{1,100}/[0-9]{1,9}", re.ASCII)


class NewerMessage(ValueError):
    """A message that a newer release wrote: it is not damaged, and its tickets are sent again."""


class Lane(StrEnum):
    """Small jobs take the interactive lane, which goes before the bulk lane of big ones."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Ticket(NamedTuple):
    """One chunk of one job."""

    job_id: str
    chunk: int

    def __str__(self) -> str:
        return f"{self.job_id}/{self.chunk}"

    @classmethod
    def parse(cls, text: str) -> Ticket:
        """The ticket of this text. Raises ValueError for what is none."""
        if not isinstance(text, str) or not TICKET.fullmatch(text):
            raise ValueError(f"{text!r:.80} is no ticket")
        job_id, _, chunk = text.rpartition("/")
        return cls(job_id, int(chunk))


def queue_name(model: str, lane: Lane) -> str:
    """The Redis list that Celery reads. The lanes' digits put interactive first in kombu's sorted order."""
    return f"retort.{model}.{0 if lane is Lane.INTERACTIVE else 1}-{lane}"


class JobQueue(NamedTuple):
    """The work that waits for one model in one lane."""

    model: str
    lane: Lane

    @classmethod
    def parse(cls, name: str) -> JobQueue:
        """The queue that `queue_name` gave this name. Raises ValueError for any other."""
        model, _, lane = name.removeprefix("retort.").rpartition(".")
        found = cls(model, Lane(lane[2:]))
        if queue_name(*found) != name:
            raise ValueError(f"{name!r} is no queue of this service")
        return found


def pack(tickets: Iterable[Ticket]) -> dict[str, Any]:
    """The only argument of the Celery task, as JSON."""
    return {"schema": SCHEMA, "tickets": [str(ticket) for ticket in tickets]}


def unpack(message: dict[str, Any]) -> list[Ticket]:
    """The tickets of a message. Raises NewerMessage for a newer schema, ValueError for what is no message."""
    if not isinstance(message, dict) or not isinstance(message.get("schema"), int):
        raise ValueError("no message of this service")
    if message["schema"] > SCHEMA:
        raise NewerMessage(f"message of schema {message['schema']}, this release reads {SCHEMA}")
    if not isinstance(message.get("tickets"), list):
        raise ValueError("a message without tickets")
    return [Ticket.parse(text) for text in message["tickets"]]
