"""What a sweep asks: which jobs are due, who holds what, what waits; and the repair of keys that a stranger damaged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import cast

import redis

from contract.job_store import JobStore
from contract.lenient import COUNTER, unless_of_wrong_type
from contract.message import JobQueue, Lane, Ticket, queue_name
from contract.quarantine import Quarantine
from contract.redis_client import Script, store_errors

JOB = "retort:job:"
SCANNED = 500
"""Records that are looked at in one round trip."""


class SweepStore:
    """The records as a sweeper sees them, by model where there is one each. Every method raises StoreUnavailable.

    What can't be read is left out, set aside and noted in the quarantine.
    """

    def __init__(self, client: redis.Redis, *, jobs: JobStore, quarantine: Quarantine, worker: str) -> None:
        self._client = client
        self._jobs = jobs
        self._quarantine = quarantine
        self._worker = worker
        self._recounted: dict[str, object] = {}
        """By model, how often the service had asked for a recount when this sweeper last made one."""
        self._relisted: object = None
        """How often a shared key had been set aside when this sweeper last listed all jobs anew."""
        self._lock, self._unlock, self._repair, self._recount, self._relist = (
            Script(client, name) for name in ("lock", "unlock", "repair", "recount", "relist")
        )

    def take_locks(self, models: Sequence[str], ttl_s: float) -> list[str]:
        """Take or keep the lock of each model's one sweeper; the models whose lock no other worker has."""
        answers = self._lock.call_many([((), (model, self._worker, int(1000 * ttl_s))) for model in models])
        return [model for model, answer in zip(models, answers, strict=True) if answer]

    def release_locks(self, models: Iterable[str]) -> None:
        self._unlock.call_many([((), (model, self._worker)) for model in models])

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

    def waiting(self, model: str, longer_than_ms: int) -> set[Ticket]:
        """The model's chunks that have waited for a worker for so long that their message must have arrived."""
        key = f"retort:queued:{model}"
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

    def messages(self, queue: JobQueue) -> list[str]:
        """The messages that wait in the queue, as kombu wrote them."""
        with store_errors():
            found = unless_of_wrong_type(lambda: self._client.lrange(queue_name(*queue), 0, -1), [])
        return cast("list[str]", found)

    def repair(self, model: str) -> None:
        """Set shared keys and the model's aside that have another type than they should.

        What they held is derived anew from the records.
        """
        types = self._types(model)
        moved = self._repair(*chain.from_iterable(types.items()))
        for key, found in zip(moved[::2], moved[1::2], strict=True):
            self._quarantine.note("key", key, f"it is a {found}, not a {types[key]}")
        with store_errors():
            relist, recount = (
                unless_of_wrong_type(lambda key=key: self._client.get(key), None)  # type: ignore[misc]
                for key in ("retort:relist", "retort:recount")
            )
        if relist != self._relisted:
            self._list_anew()
            self._relisted = relist
        damaged = self._damaged_counters(model)
        if damaged:
            self._quarantine.note("key", f"retort:backlog:{model}", f"no number, counted anew: {damaged}")
        if damaged or recount != self._recounted.get(model):
            self._recount(model)
            self._recounted[model] = recount

    def _types(self, model: str) -> dict[str, str]:
        """The keys that all share or that are the model's, with the type of each."""
        with store_errors():
            workers = unless_of_wrong_type(lambda: self._client.zrange("retort:workers", 0, -1), [])
        return {
            "retort:workers": "zset",
            "retort:served": "zset",
            "retort:deadlines": "zset",
            "retort:dead": "zset",
            "retort:totals": "hash",
            "retort:quarantine": "hash",
            "retort:id-key": "string",
            "retort:recount": "string",
            "retort:relist": "string",
            f"retort:queued:{model}": "zset",
            f"retort:backlog:{model}": "hash",
            **{f"retort:leased:{worker}": "set" for worker in {*cast("list[str]", workers), self._worker}},
            **{queue_name(model, lane): "list" for lane in Lane},
        }

    def _list_anew(self) -> None:
        """Put every job back into the lists that say what waits, who holds what, what is dead, and what is due when."""
        with store_errors():
            keys = list(self._client.scan_iter(match=f"{JOB}*", count=SCANNED))
        for start in range(0, len(keys), SCANNED):
            # A damaged record says nothing here; who meets it sets it aside.
            self._relist.call_each(((), (str(key).removeprefix(JOB),)) for key in keys[start : start + SCANNED])

    def _damaged_counters(self, model: str) -> list[str]:
        """Names of the counters of the backlog that are no numbers."""
        with store_errors():
            stored = unless_of_wrong_type(lambda: self._client.hgetall(f"retort:backlog:{model}"), {})
        return [name for name, value in cast("dict[str, str]", stored).items() if not COUNTER.fullmatch(value)]

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
