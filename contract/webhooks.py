"""Webhooks that are owed, after Standard Webhooks (https://www.standardwebhooks.com): told until their receiver knows.

What ends a job owes its webhook in the same step (contract/scripts/prelude.lua), and pushes the message that has a
notifier deliver it. A message may be lost or come twice: what counts is here. docs/webhooks.md draws it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import redis

from contract.lenient import unless_of_wrong_type
from contract.redis_client import Script, store_errors
from contract.settings import SharedSettings

TASK = "retort.notify"
QUEUE = "retort.webhooks"
"""The Redis list that notifiers read."""
ON_ITS_WAY_MS = 3000
"""A message that has not arrived by then is lost."""
NAMED_AGAIN_MS = 30_000
BUSY_MS = 1000
"""Until one is looked at again whose key has as many under way as it may."""
PREFIX = "retort:webhook:"
OWED = "retort:webhooks"
DEAD = "retort:webhooks:dead"
DISABLED = "retort:webhooks:disabled"


class Outcome(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    AGAIN = "again"
    DEAD = "dead"
    DISABLED = "disabled"
    """Its receiver answered that it wants no more of them."""


@dataclass(frozen=True, kw_only=True)
class OwedWebhook:
    """A webhook that this notifier is to deliver now. Times are Unix milliseconds on Redis's clock."""

    job_id: str
    taken_ms: int
    ends: str
    """How often the job has ended, this end included: once, unless an operator sent a dead letter of it again."""
    attempt: int
    since_ms: int
    address: str
    signer: str
    """Name of the API key whose secrets sign it."""
    state: str
    model: str
    version: str
    texts: int
    done: int
    errors: int
    finished_ms: int

    @property
    def id(self) -> str:
        """What receivers know it by, however often it comes."""
        return f"{self.job_id}-{self.ends}"

    @property
    def payload(self) -> str:
        """What is sent: the same bytes at every attempt."""
        document = {
            "type": f"job.{self.state}",
            "timestamp": datetime.fromtimestamp(self.finished_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "data": {
                "id": self.job_id,
                "status": self.state,
                "model": {"name": self.model, "version": self.version or None},
                "progress": {"texts": self.texts, "done": self.done, "errors": self.errors},
                "results": f"/jobs/{self.job_id}/results",
            },
        }
        return json.dumps(document, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class DeadWebhook:
    """A webhook that was given up."""

    job_id: str
    died_ms: int
    address: str
    attempts: int
    why: str


class WebhookLedger:
    """Who is owed what. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: SharedSettings) -> None:
        self._client = client
        self._ttl_ms = settings.dead_letter_ttl_s * 1000
        self._relisted: object = None
        self._is_listed = False
        self._take, self._settle, self._overdue, self._redrive, self._relist = (
            Script(client, f"webhook_{name}") for name in ("take", "settle", "overdue", "redrive", "relist")
        )

    def take(self, job_id: str, *, lease_s: float, most_of_key: int) -> OwedWebhook | None:
        """Take the webhook of a job for `lease_s`; None when it is not due, not owed, or its key has enough at once."""
        match self._take(job_id, int(lease_s * 1000), most_of_key, BUSY_MS, self._ttl_ms):
            case ["taken", now, attempt, ends, *numbers, address, signer, state, model, version]:
                since, texts, done, errors, finished = map(int, numbers)
                return OwedWebhook(
                    job_id=job_id, taken_ms=int(now), ends=ends, attempt=int(attempt), since_ms=since,
                    address=address, signer=signer, state=state, model=model, version=version,
                    texts=texts, done=done, errors=errors, finished_ms=finished,
                )  # fmt: skip
        return None

    def settle(self, webhook: OwedWebhook, outcome: Outcome, why: str = "") -> None:
        """Say how an attempt ended that ended for good."""
        self._settle(webhook.job_id, webhook.ends, outcome, why, 0, 0, self._ttl_ms)

    def postpone(self, webhook: OwedWebhook, why: str, pause_s: float, *, has_message: bool) -> None:
        """Have it tried again after `pause_s`: by a message of the caller's, or by one that a sweep sends then."""
        grace_ms = ON_ITS_WAY_MS if has_message else 0
        self._settle(webhook.job_id, webhook.ends, Outcome.AGAIN, why, int(pause_s * 1000), grace_ms, self._ttl_ms)

    def overdue(self, most: int) -> list[str]:
        """Jobs whose webhook is due and whose message is lost, or was never sent; the most overdue first.

        Each is named to one caller, and again after a while if that has not helped.
        """
        self._list_anew()
        return [str(job_id) for job_id in self._overdue(most, NAMED_AGAIN_MS)]

    def dead(self, most: int = 1000) -> list[DeadWebhook]:
        """Those that were given up and are kept, oldest first."""
        with store_errors():
            self._client.zremrangebyscore(DEAD, "-inf", self._now_ms() - self._ttl_ms)
            listed = cast("list[tuple[str, float]]", self._client.zrange(DEAD, 0, most - 1, withscores=True))
            pipeline = self._client.pipeline(transaction=False)
            for job_id, _ in listed:
                pipeline.hmget(f"{PREFIX}{job_id}", ["address", "attempts", "why"])
            found = pipeline.execute()
        return [
            DeadWebhook(job_id=job_id, died_ms=int(died), address=address, attempts=int(attempts or 0), why=why or "")
            for (job_id, died), (address, attempts, why) in zip(listed, found, strict=True)
            if address is not None
        ]

    def redrive(self, job_id: str) -> bool:
        """Have a dead one tried anew, as if its job had just ended; False when it is none."""
        return bool(self._redrive(job_id))

    def enable(self, address: str) -> int:
        """Send to an address again that had answered that it wants no more; how many keys that concerned."""
        with store_errors():
            names = cast("list[str]", unless_of_wrong_type(lambda: self._client.zrange(DISABLED, 0, -1), []))
            named = [name for name in names if name.partition(" ")[2] == address]
            return int(self._client.zrem(DISABLED, *named)) if named else 0

    def disabled(self) -> list[str]:
        """Addresses that have answered that they want no more webhooks."""
        with store_errors():
            names = cast("list[str]", unless_of_wrong_type(lambda: self._client.zrange(DISABLED, 0, -1), []))
        return sorted({name.partition(" ")[2] for name in names})

    def count_owed(self) -> int:
        """Webhooks that are not delivered yet."""
        return self._count(OWED)

    def count_dead(self) -> int:
        """Webhooks that were given up and are kept."""
        return self._count(DEAD)

    def _count(self, key: str) -> int:
        with store_errors():
            return int(unless_of_wrong_type(lambda: self._client.zcard(key), 0))

    def _list_anew(self) -> None:
        """List every webhook that is owed in its lists again, at the start and after one of these was set aside."""
        with store_errors():
            asked: Any = unless_of_wrong_type(lambda: self._client.get("retort:relist"), None)
            if self._is_listed and asked == self._relisted:
                return
            keys = [str(key) for key in self._client.scan_iter(match=f"{PREFIX}*", count=500)]
        self._relist.call_each(((), (key.removeprefix(PREFIX),)) for key in keys)
        self._relisted, self._is_listed = asked, True

    def _now_ms(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
