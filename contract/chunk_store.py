"""The worker's side of the job record: lease chunks, commit their results, send back what was not done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis

from contract.job_record import Commit, Lease, load_texts
from contract.message import Lane, Ticket
from contract.prediction import Options
from contract.redis_client import Script
from contract.settings import SharedSettings

CANCELLED_CHANNEL = "retort:cancelled"


@dataclass(frozen=True)
class Skipped:
    """A ticket with nothing to do: another has its chunk, or had it, or its job has ended or is gone."""

    ticket: Ticket
    why: str


class Blame(StrEnum):
    """Whether it counts against a chunk that its worker did not finish it."""

    NEVER = "never"
    PERHAPS = "perhaps"
    """It may have brought the worker down; see contract/scripts/requeue.lua."""
    SURELY = "surely"


@dataclass(frozen=True)
class Resend:
    """A ticket that must be sent to its queue again."""

    ticket: Ticket
    model: str
    lane: Lane


class ChunkStore:
    """The transitions of chunks, each atomic, many in one round trip. Raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: SharedSettings, worker: str) -> None:
        self.worker = worker
        self._max_attempts = settings.max_attempts
        self._ttls_ms = (settings.result_ttl_s * 1000, settings.dead_letter_ttl_s * 1000)
        self._lease, self._start, self._commit, self._requeue = (
            Script(client, name) for name in ("lease", "start", "commit", "requeue")
        )

    def lease(self, tickets: Sequence[Ticket]) -> list[Lease | Skipped]:
        """Take the chunks that are there to be taken, and those that this worker has already, with their texts."""
        calls = [((), (*ticket, self.worker, self._ttls_ms[0])) for ticket in tickets]
        return [_leased(*pair) for pair in zip(tickets, self._lease.call_many(calls), strict=True)]

    def start(self, ticket: Ticket) -> bool:
        """Say that a chunk with a failed attempt goes on the device now; False if it is no longer this worker's."""
        return bool(self._start(*ticket, self.worker))

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        """Store the results; for each, whether it was the first of its chunk. The last chunk of a job ends the job."""
        calls = [((), (*one.ticket, one.result, one.errors, one.version, *self._ttls_ms)) for one in commits]
        return [answer != "late" for answer in self._commit.call_many(calls)]

    def give_back(self, tickets: Iterable[Ticket]) -> list[Resend]:
        """Undo this worker's leases; the chunks that are to be sent again."""
        return self._send_back(tickets, self.worker, Blame.NEVER, "given back")

    def reclaim(self, tickets: Iterable[Ticket], worker: str, why: str) -> list[Resend]:
        """Take the leases of a dead worker from it. A chunk out of attempts becomes a dead letter instead."""
        return self._send_back(tickets, worker, Blame.PERHAPS, why)

    def give_up(self, tickets: Iterable[Ticket], why: str) -> list[Resend]:
        """Undo this worker's leases because it can't do the work. A chunk out of attempts becomes a dead letter."""
        return self._send_back(tickets, self.worker, Blame.SURELY, why)

    def resend_lost(self, tickets: Iterable[Ticket]) -> list[Resend]:
        """Those of the tickets whose chunks still wait: their message was lost."""
        return self._send_back(tickets, "", Blame.NEVER, "its message was lost")

    def _send_back(self, tickets: Iterable[Ticket], worker: str, blame: Blame, why: str) -> list[Resend]:
        listed = list(tickets)
        rest = (worker, self._max_attempts, blame, why, *self._ttls_ms)
        answers = self._requeue.call_many([((), (*ticket, *rest)) for ticket in listed])
        return resends(listed, answers)


def _leased(ticket: Ticket, answer: list[Any]) -> Lease | Skipped:
    if answer[0] == "skip":
        return Skipped(ticket, answer[1])
    _, attempt, model, lane, options, deadline, created, now, trace, texts = answer
    return Lease(
        ticket=ticket,
        attempt=int(attempt),
        model=model,
        lane=Lane(lane),
        options=Options.model_validate_json(options),
        deadline_at_ms=int(deadline),
        created_ms=int(created),
        leased_ms=int(now),
        texts=load_texts(texts),
        trace=trace,
    )


def resends(tickets: Sequence[Ticket], answers: Sequence[list[Any]]) -> list[Resend]:
    """What the scripts that queue a chunk again answered for each ticket."""
    return [
        Resend(ticket, answer[1], Lane(answer[2]))
        for ticket, answer in zip(tickets, answers, strict=True)
        if answer[0] == "send"
    ]
