"""What was found damaged in Redis and set aside, so that nothing else fails on it; noted once, for an operator."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import cast

import redis

from contract.errors import StoreUnavailable
from contract.job_record import SCHEMA
from contract.redis_client import Script, store_errors
from contract.settings import SharedSettings
from contract.unreadable import Unreadable

KEY = "retort:quarantine"
MOST = 1000
"""Entries that are kept: enough to see what goes wrong, however much does."""
SHOWN = 500
"""Characters of what was found that an entry quotes."""


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """One thing that was found damaged."""

    kind: str
    """record, message, ticket, heartbeat or key."""
    name: str
    why: str
    at_s: float
    """Unix seconds on the clock of the process that found it."""
    content: str
    """Its beginning."""


class Quarantine:
    """The quarantine of this service. Noting something never raises: whoever finds damage has other work to do."""

    def __init__(self, client: redis.Redis, settings: SharedSettings, unreadable: Unreadable | None = None) -> None:
        self._client = client
        self._ttl_s = settings.dead_letter_ttl_s
        self._unreadable = unreadable or Unreadable()
        self._set_aside = Script(client, "set_aside")

    def set_aside_job(self, job_id: str, seen: str = "") -> str:
        """Set the job's record aside if it is damaged, or if its reader has `seen` damage; what is damaged, or ''.

        Raises StoreUnavailable.
        """
        why = str(self._set_aside(job_id, seen, self._ttl_s * 1000, SCHEMA))
        if why:
            self.note("record", job_id, why)
        return why

    def note(self, kind: str, name: str, why: Exception | str, content: str = "") -> None:
        """Count it, log it once a minute, and list it once."""
        self._unreadable.skip(kind, name, why)
        entry = {"why": str(why)[:SHOWN], "at": time.time(), "content": content[:SHOWN]}
        try:
            with store_errors():
                if self._client.hlen(KEY) < MOST:
                    self._client.hsetnx(KEY, f"{kind} {name[:SHOWN]}", json.dumps(entry))
                self._client.expire(KEY, self._ttl_s)
        except (StoreUnavailable, redis.RedisError):
            return

    def entries(self) -> list[SetAside]:
        """Everything that was noted, oldest first. Raises StoreUnavailable."""
        with store_errors():
            found = cast("dict[str, str]", self._client.hgetall(KEY))
        return sorted((_entry(name, text) for name, text in found.items()), key=lambda entry: entry.at_s)

    def clear(self) -> None:
        """Forget the entries; what was set aside goes when its time to live has passed. Raises StoreUnavailable."""
        with store_errors():
            self._client.delete(KEY)


def _entry(field: str, text: str) -> SetAside:
    kind, _, name = field.partition(" ")
    try:
        found = json.loads(text)
        return SetAside(
            kind=kind, name=name, why=str(found["why"]), at_s=float(found["at"]), content=str(found["content"])
        )
    except (ValueError, KeyError, TypeError):
        return SetAside(kind=kind, name=name, why="this entry itself is damaged", at_s=0.0, content=text[:SHOWN])
