"""Chunks that failed too often: what an operator can see of them, and how they are sent to the queue again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis

from contract.chunk_store import Resend, resends
from contract.job_record import load_texts
from contract.job_store import JobStore
from contract.message import TICKET, Lane, Ticket
from contract.redis_client import Script, store_errors
from contract.settings import SharedSettings

KEY = "retort:dead"


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A chunk that is tried no more, as long as its job is kept."""

    ticket: Ticket
    died_ms: int
    """Unix milliseconds on Redis's clock."""
    model: str
    lane: Lane
    why: str
    """What happened at its last attempt."""
    texts: tuple[str, ...]


class DeadLetters:
    """The dead letters in Redis. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: SharedSettings) -> None:
        self._client = client
        self._ttl_ms = settings.dead_letter_ttl_s * 1000
        self._jobs = JobStore(client, settings)
        self._redrive = Script(client, "redrive")

    def tickets(self, most: int = 1000) -> list[Ticket]:
        """The oldest dead letters, oldest first."""
        with store_errors():
            self._client.zremrangebyscore(KEY, "-inf", self._jobs.now_ms() - self._ttl_ms)
            names = cast("list[str]", self._client.zrange(KEY, 0, most - 1))
        return [Ticket.parse(name) for name in names if TICKET.fullmatch(name)]

    def find(self, ticket: Ticket) -> DeadLetter | None:
        """The dead letter with its texts; None when the chunk is none, or its job is gone."""
        job_id, chunk = ticket
        with store_errors():
            died_ms = self._client.zscore(KEY, str(ticket))
            names = ["model", "lane", f"e:{chunk}", f"t:{chunk}"]
            model, lane, why, texts = cast("list[str | None]", self._client.hmget(f"retort:job:{job_id}", names))
        if died_ms is None or model is None or lane is None or why is None or texts is None:
            return None
        return DeadLetter(
            ticket=ticket, died_ms=int(died_ms), model=model, lane=Lane(lane), why=why, texts=load_texts(texts)
        )

    def redrive(self, ticket: Ticket, deadline_s: int) -> list[Resend]:
        """Give a dead letter new attempts and its job a new deadline; nothing to send when it is no dead letter."""
        return resends([ticket], [self._redrive(*ticket, deadline_s * 1000)])
