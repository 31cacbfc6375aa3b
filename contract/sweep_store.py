"""What a sweep asks: which jobs are due, who holds what, what waits; and the repair of keys that a stranger damaged."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import cast

import redis

from contract.job_store import JobStore
from contract.lenient import COUNTER, unless_of_wrong_type
from contract.message import Lane, Ticket, queue_name
from contract.quarantine import Quarantine
from contract.redis_client import Script, store_errors


class SweepStore:
    """One model's share of the records, as its sweeper sees it. Every method raises StoreUnavailable.

    What can't be read is left out, set aside and noted in the quarantine.
    """

    def __init__(self, client: redis.Redis, *, jobs: JobStore, quarantine: Quarantine, model: str, worker: str) -> None:
        self._client = client
        self._jobs = jobs
        self._quarantine = quarantine
        self._model = model
        self._worker = worker
        self._recounted: object = None
        """How often the service had asked for a recount when this sweeper last made one."""
        self._lock, self._unlock, self._repair, self._recount = (
            Script(client, name) for name in ("lock", "unlock", "repair", "recount")
        )

    def take_lock(self, ttl_s: float) -> bool:
        """Take or keep the lock of the model's one sweeper; False while another worker has it."""
        return bool(self._lock(self._model, self._worker, int(1000 * ttl_s)))

    def release_lock(self) -> None:
        self._unlock(self._model, self._worker)

    def due_jobs(self, most: int) -> list[str]:
        """Open jobs whose deadline has passed, the most overdue first."""
        now = self._jobs.now_ms()
        with store_errors():
            found = unless_of_wrong_type(
                lambda: self._client.zrangebyscore("retort:deadlines", "-inf", now, 0, most), []
            )
        return cast("list[str]", found)

    def forget_due(self, job_id: str) -> None:
        """Expire the job no more: it is not there, or no sweep can end it."""
        with store_errors():
            self._client.zrem("retort:deadlines", job_id)

    def leases(self, worker: str) -> set[Ticket]:
        """The chunks that a worker holds."""
        key = f"retort:leased:{worker}"
        with store_errors():
            stored = unless_of_wrong_type(lambda: self._client.smembers(key), set())
            tickets, junk = self._parse(cast("set[str]", stored))
            if junk:
                self._client.srem(key, *junk)
        return set(tickets)

    def waiting(self, longer_than_ms: int) -> set[Ticket]:
        """The chunks that have waited for a worker for so long that their message must have arrived."""
        key = f"retort:queued:{self._model}"
        now = self._jobs.now_ms()
        with store_errors():
            stored = unless_of_wrong_type(lambda: self._client.zrange(key, 0, -1, withscores=True), [])
            since = dict(cast("list[tuple[str, float]]", stored))
            # One queued in the future was queued before Redis's clock was set back.
            late = [name for name, at in since.items() if not 0 <= now - at <= longer_than_ms]
            tickets, junk = self._parse(late)
            if junk:
                self._client.zrem(key, *junk)
        return set(tickets)

    def messages(self, lane: Lane) -> list[str]:
        """The messages that wait in the lane, as kombu wrote them."""
        with store_errors():
            found = unless_of_wrong_type(lambda: self._client.lrange(queue_name(self._model, lane), 0, -1), [])
        return cast("list[str]", found)

    def repair(self) -> None:
        """Set keys of another type than they should have aside, and count a damaged backlog anew."""
        types = {
            "retort:workers": "zset",
            "retort:deadlines": "zset",
            "retort:dead": "zset",
            "retort:totals": "hash",
            "retort:quarantine": "hash",
            "retort:id-key": "string",
            "retort:recount": "string",
            f"retort:queued:{self._model}": "zset",
            f"retort:leased:{self._worker}": "set",
            f"retort:backlog:{self._model}": "hash",
            **{queue_name(self._model, lane): "list" for lane in Lane},
        }
        moved = self._repair(*chain.from_iterable(types.items()))
        for key, found in zip(moved[::2], moved[1::2], strict=True):
            self._quarantine.note("key", key, f"it is a {found}, not a {types[key]}")
        with store_errors():
            asked = unless_of_wrong_type(lambda: self._client.get("retort:recount"), None)
            stored = unless_of_wrong_type(lambda: self._client.hgetall(f"retort:backlog:{self._model}"), {})
        counters = cast("dict[str, str]", stored)
        damaged = [name for name, value in counters.items() if not COUNTER.fullmatch(value)]
        if damaged:
            self._quarantine.note("key", f"retort:backlog:{self._model}", f"no number, counted anew: {damaged}")
        if damaged or asked != self._recounted:
            self._recount(self._model)
            self._recounted = asked

    def _parse(self, names: Iterable[str]) -> tuple[list[Ticket], list[str]]:
        """The tickets of these names, and the names that are none."""
        tickets, junk = [], []
        for name in names:
            try:
                tickets.append(Ticket.parse(name))
            except ValueError as error:
                junk.append(name)
                self._quarantine.note("ticket", name, error)
        return tickets, junk
