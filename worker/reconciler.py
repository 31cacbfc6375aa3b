"""The reconciler: finds chunks that nobody works on and sends their tickets again.

Celery on Redis alone loses messages: a worker killed between BRPOP and the note in its `unacked` hash takes the message
with it, and those it had noted come back only after the visibility timeout. The job records know better. A chunk is

- *leased* by a live worker: fine; by a dead one: reclaimed at once;
- *queued* and its ticket lies in its queue, or in the `unacked` hash of a live worker: fine; otherwise its message is
  lost, or is still on its way, so that only a ticket missing in two sweeps in a row is sent again.

One worker of the fleet sweeps at a time.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Event, Thread
from typing import Any, cast

import redis

from contract.celery_config import unacked_key
from contract.chunks import Chunks, Resend
from contract.errors import StoreUnavailable
from contract.fleet import Fleet
from contract.jobs import Jobs
from contract.message import Lane, Ticket, queue_name, unpack
from contract.redis_client import store_errors
from worker.metrics import RESENT_CHUNKS

log = logging.getLogger(__name__)
LOCK = "retort:sweeper"
SETTLED_AFTER_MS = 3000
"""A chunk queued for less than this may still be on its way to the queue."""
MOST_EXPIRED = 100


class Reconciler:
    """Sweeps every `interval_s` while this worker holds the sweeper's lock."""

    def __init__(
        self,
        client: redis.Redis,
        fleet: Fleet,
        chunks: Chunks,
        jobs: Jobs,
        model: str,
        send: Callable[[Sequence[Resend]], None],
        interval_s: float,
    ) -> None:
        self._client = client
        self._fleet = fleet
        self._chunks = chunks
        self._jobs = jobs
        self._model = model
        self._send = send
        self._interval_s = interval_s
        self._missing: set[Ticket] = set()
        self._stop = Event()
        self._thread = Thread(target=self._loop, name="reconciler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        try:
            if self._client.get(LOCK) == self._chunks.worker:
                self._client.delete(LOCK)
        except redis.RedisError:
            log.debug("the sweeper's lock will expire by itself")

    def _loop(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                if self._has_lock():
                    self.sweep()
            except StoreUnavailable as error:
                log.warning("no sweep: %s", error)
            except Exception:
                log.exception("this sweep failed, the next one goes on")

    def sweep(self) -> None:
        """Once over everything. Raises StoreUnavailable."""
        self._expire_jobs()
        for worker in self._fleet.dead():
            self._bury(worker)
        self._resend_lost()

    def _has_lock(self) -> bool:
        ttl_ms = int(3000 * self._interval_s)
        with store_errors():
            if self._client.set(LOCK, self._chunks.worker, nx=True, px=ttl_ms):
                self._missing.clear()
                return True
            if self._client.get(LOCK) == self._chunks.worker:
                return bool(self._client.pexpire(LOCK, ttl_ms))
        return False

    def _expire_jobs(self) -> None:
        with store_errors():
            due = self._client.zrangebyscore("retort:deadlines", "-inf", self._jobs.now_ms(), 0, MOST_EXPIRED)
        for job_id in cast("list[str]", due):
            self._jobs.expire(job_id)

    def _bury(self, worker: str) -> None:
        """Send a dead worker's chunks again, those it had leased and those whose message it still held."""
        with store_errors():
            leased = cast("set[str]", self._client.smembers(f"retort:leased:{worker}"))
            held = self._unacked(worker)
        log.warning("worker %s is dead, it held %d leases and %d tickets", worker, len(leased), len(held))
        self._resend(self._chunks.reclaim(map(Ticket.parse, leased), worker, f"worker {worker} died"), "dead-worker")
        self._resend(self._chunks.resend_lost(held), "dead-worker")
        key = unacked_key(worker)
        with store_errors():
            self._client.delete(key, f"{key}:index", f"{key}:mutex")
        self._fleet.leave(worker)

    def _resend_lost(self) -> None:
        with store_errors():
            waiting = self._settled_tickets()
            missing = waiting - self._visible_tickets() if waiting else set()
        self._resend(self._chunks.resend_lost(missing & self._missing), "lost-message")
        self._missing = missing - self._missing

    def _settled_tickets(self) -> set[Ticket]:
        before = self._jobs.now_ms() - SETTLED_AFTER_MS
        waiting = self._client.zrangebyscore(f"retort:queued:{self._model}", "-inf", before)
        return set(map(Ticket.parse, cast("list[str]", waiting)))

    def _visible_tickets(self) -> set[Ticket]:
        tickets: set[Ticket] = set()
        for lane in Lane:
            tickets.update(_tickets(self._client.lrange(queue_name(self._model, lane), 0, -1)))
        for status in self._fleet.live():
            tickets.update(self._unacked(status.id))
        return tickets

    def _unacked(self, worker: str) -> set[Ticket]:
        values = cast("list[str]", self._client.hvals(unacked_key(worker)))
        return set(_tickets(json.dumps(json.loads(value)[0]) for value in values))

    def _resend(self, resends: Sequence[Resend], why: str) -> None:
        if resends:
            RESENT_CHUNKS.labels(why).inc(len(resends))
            self._send(resends)


def _tickets(messages: Iterable[Any]) -> Iterable[Ticket]:
    """The tickets of kombu's messages as they lie in Redis: an envelope whose body is base64 of Celery's arguments."""
    for message in messages:
        arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
        yield from unpack(arguments[0])
