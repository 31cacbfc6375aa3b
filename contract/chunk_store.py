"""The worker's side of the job record: lease chunks, commit their results, send back what was not done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import redis
from pydantic import ValidationError
from redis.exceptions import ResponseError

from contract.errors import StoreUnavailable
from contract.job_record import SCHEMA, Commit, Lease, load_texts
from contract.job_store import WAKE_CHANNEL
from contract.message import Lane, Ticket
from contract.prediction import load_options
from contract.quarantine import Quarantine
from contract.redis_client import Call, Script, store_errors
from contract.settings import SharedSettings
from contract.unreadable import Unreadable

CANCELLED_CHANNEL = "retort:cancelled"
MOST_REFUSALS = 5
REFUSED_FOR_MS = 600_000
"""A chunk that no worker can read is tried for so long, so that an upgrade has the time to bring one that can."""


@dataclass(frozen=True)
class Skipped:
    """A ticket with nothing to do: another has its chunk, or had it, or its job has ended or is gone."""

    ticket: Ticket
    why: str


class Blame(StrEnum):
    """How surely a chunk is to blame when its worker did not finish it."""

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

    def __init__(
        self, client: redis.Redis, settings: SharedSettings, *, worker: str, unreadable: Unreadable | None = None
    ) -> None:
        self.worker = worker
        self._unreadable = unreadable or Unreadable()
        self._quarantine = Quarantine(client, settings, self._unreadable)
        self._refuse = Script(client, "refuse")
        self._max_attempts = settings.max_attempts
        self._ttls_ms = (settings.result_ttl_s * 1000, settings.dead_letter_ttl_s * 1000)
        self._lease, self._start, self._requeue = (Script(client, name) for name in ("lease", "start", "requeue"))
        self._client = client
        self._replicas = settings.redis_replicas
        self._commit = Script(client, "commit", replicas=self._replicas)

    def lease(self, tickets: Sequence[Ticket]) -> list[Lease | Skipped]:
        """Take the chunks that are there to be taken, and those that this worker has already, with their texts.

        A chunk that this release can't read is left for those who can; a damaged job is set aside.
        """
        calls = [((), (*ticket, self.worker, self._ttls_ms[0], SCHEMA)) for ticket in tickets]
        answers = self._each(self._lease, tickets, calls)
        return [self._read_lease(*pair) for pair in zip(tickets, answers, strict=True)]

    def _read_lease(self, ticket: Ticket, answer: list[Any] | None) -> Lease | Skipped:
        match answer:
            case None:
                return Skipped(ticket, "damaged")
            case ["skip", why]:
                return Skipped(ticket, why)
            case ["newer", schema]:
                return self._leave_to_others(ticket, f"its record is of schema {schema}, this release reads {SCHEMA}")
        try:
            return _leased(ticket, answer)
        except ValidationError as error:
            if error.errors()[0]["type"] != "json_invalid":
                return self._leave_to_others(ticket, f"its options: {_first(error)}")
            damage = f"its options: {_first(error)}"
        except ValueError as error:
            damage = f"chunk {ticket.chunk}: {error}"
        self._quarantine.set_aside_job(ticket.job_id, damage)
        return Skipped(ticket, "damaged")

    def _leave_to_others(self, ticket: Ticket, why: str) -> Skipped:
        """Undo a lease that only a newer release can read. If nobody does, the chunk becomes a dead letter."""
        self._unreadable.skip("lease", str(ticket), why)
        reason = f"no worker here can read it: {why}"
        self._refuse(*ticket, self.worker, reason, MOST_REFUSALS, REFUSED_FOR_MS, *self._ttls_ms)
        return Skipped(ticket, "newer")

    def _each(self, script: Script, tickets: Sequence[Ticket], calls: Sequence[Call]) -> list[Any]:
        """The script's answer for each ticket, None for those whose record is damaged and now set aside.

        Raises what the script raised on a record in which nothing is damaged: then this program is wrong.
        """
        answers = script.call_each(calls)
        for index, (ticket, answer) in enumerate(zip(tickets, answers, strict=True)):
            if isinstance(answer, ResponseError):
                is_set_aside = self._quarantine.set_aside_job(ticket.job_id)
                # Nothing is damaged any more when another was the first to set it aside.
                answers[index] = None if is_set_aside else script.call_many([calls[index]])[0]
        return answers

    def start(self, ticket: Ticket) -> bool:
        """Say that a chunk with a failed attempt goes on the device now; False if it is no longer this worker's."""
        [answer] = self._each(self._start, [ticket], [((), (*ticket, self.worker))])
        return bool(answer)

    def commit(self, commits: Sequence[Commit]) -> list[bool]:
        """Store the results; True for each that was the first of its chunk. The last chunk of a job ends the job."""
        wakes = "by hand" if self._replicas else "at once"
        calls = [((), (*one.ticket, one.result, one.errors, one.version, *self._ttls_ms, wakes)) for one in commits]
        answers = self._each(self._commit, [one.ticket for one in commits], calls)
        if self._replicas:
            self._wake({one.ticket.job_id for one in commits})
        return [answer in ("committed", "finished") for answer in answers]

    def _wake(self, jobs: Iterable[str]) -> None:
        """Tell whoever waits for the jobs that more of them is done, now that replicas have it, too."""
        pipeline = self._client.pipeline(transaction=False)
        for job_id in jobs:
            pipeline.publish(WAKE_CHANNEL, job_id)
        # It is committed. Those who are not woken look again by themselves, and when their connection is back.
        with suppress(StoreUnavailable), store_errors():
            pipeline.execute()

    def give_back(self, tickets: Iterable[Ticket]) -> list[Resend]:
        """Undo this worker's leases; return the chunks that are to be sent again."""
        return self._send_back(tickets, self.worker, Blame.NEVER, "given back")

    def reclaim(self, tickets: Iterable[Ticket], worker: str, why: str) -> list[Resend]:
        """Take the leases of a dead worker from it. A chunk out of attempts becomes a dead letter instead."""
        return self._send_back(tickets, worker, Blame.PERHAPS, why)

    def give_up(self, tickets: Iterable[Ticket], why: str) -> list[Resend]:
        """Undo this worker's leases because it can't do the work. A chunk out of attempts becomes a dead letter."""
        return self._send_back(tickets, self.worker, Blame.SURELY, why)

    def resend_lost(self, tickets: Iterable[Ticket], model: str = "") -> list[Resend]:
        """Find the tickets whose chunks still wait for a worker, of `model` if it is named: their message was lost."""
        return self._send_back(tickets, "", Blame.NEVER, "its message was lost", model)

    def _send_back(
        self, tickets: Iterable[Ticket], worker: str, blame: Blame, why: str, waits_for: str = ""
    ) -> list[Resend]:
        listed = list(tickets)
        rest = (worker, waits_for, self._max_attempts, blame, why, *self._ttls_ms)
        answers = self._each(self._requeue, listed, [((), (*ticket, *rest)) for ticket in listed])
        return resends(listed, [answer or ["drop"] for answer in answers])


def _first(error: ValidationError) -> str:
    """What is wrong, without what was found."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _leased(ticket: Ticket, answer: list[Any]) -> Lease:
    """The lease that lease.lua answered. Raises ValidationError for its options, ValueError for anything else."""
    _, attempt, model, lane, options, deadline, created, now, trace, texts = answer
    return Lease(
        ticket=ticket,
        attempt=int(attempt),
        model=model,
        lane=Lane(lane),
        options=load_options(options),
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
