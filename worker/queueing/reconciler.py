"""The reconciler: finds chunks that nobody works on and sends their tickets again.

Redis hands a message out once: a worker that is killed takes the messages it holds with it, as does a connection that
breaks at the wrong moment. The job records know better. A chunk is

- *held* by a worker that lives: fine; by a dead one: it goes back to the queue at once;
- *queued* with its ticket in its queue: fine; otherwise its message is lost, unless it is young and on its way;
- held by this worker, which knows nothing of it: something went wrong here, and the chunk is tried again.

One of a model's workers sweeps at a time; each looks after its own leases.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import redis

from contract.chunk_store import ChunkStore, Resend
from contract.errors import StoreUnavailable
from contract.fleet import Fleet
from contract.job_store import JobStore
from contract.loop import STOP_S
from contract.message import Lane, Ticket, queue_name, unpack
from contract.redis_client import Script, store_errors
from worker.loops import worker_loop
from worker.metrics import RESENT_CHUNKS

log = logging.getLogger(__name__)
SETTLED_AFTER_MS = 3000
"""A chunk queued for less than this may still be on its way to the queue."""
MOST_EXPIRED = 100
LOCK_PAUSES = 2
"""The lock of a sweeper that dies is free after so many of its pauses."""
DUTY = 0.1
"""Share of its time that a worker sweeps at most: reading a long queue takes a while."""


class Reconciler:
    """Sweeps every `interval_s` while this worker holds the sweeper's lock."""

    def __init__(
        self,
        *,
        client: redis.Redis,
        fleet: Fleet,
        chunks: ChunkStore,
        jobs: JobStore,
        model: str,
        send: Callable[[Sequence[Resend]], None],
        held: Callable[[], set[Ticket]],
        liveness_known: Callable[[], bool],
        interval_s: float,
    ) -> None:
        """`held` gives the tickets that this worker works on. `liveness_known` says whether every live worker has had
        the time to send a heartbeat: just after an outage of Redis all of them look dead."""
        self._client = client
        self._fleet = fleet
        self._chunks = chunks
        self._jobs = jobs
        self._model = model
        self._send = send
        self._held = held
        self._liveness_known = liveness_known
        self._interval_s = interval_s
        self._lock, self._unlock = (Script(client, name) for name in ("lock", "unlock"))
        self._forgotten: set[Ticket] = set()
        self.loop = worker_loop("reconciler", self._step, pause_s=interval_s)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Leave the sweeps to another worker; whether the thread ended within `timeout_s`."""
        ended = self.loop.stop(timeout_s)
        try:
            self._unlock(self._model, self._chunks.worker)
        except StoreUnavailable:
            log.debug("the sweeper's lock will expire by itself")
        return ended

    def _step(self) -> None:
        started = time.monotonic()
        self.retry_forgotten()
        if self._has_lock():
            self.sweep()
            self._release_lock_unless_liveness_known()
        self.loop.pause_s = max(self._interval_s, (time.monotonic() - started) / DUTY)

    def retry_forgotten(self) -> None:
        """Give up the leases that this worker has had for two sweeps without working on them."""
        forgotten = self._leases(self._chunks.worker) - self._held()
        twice = forgotten & self._forgotten
        self._forgotten = forgotten - twice
        self._resend(self._chunks.give_up(twice, "a worker could not process it; its log says why"), "forgotten")

    def sweep(self) -> None:
        """Once over everything. Raises StoreUnavailable, or what the queue raises."""
        self._expire_jobs()
        if self._liveness_known():
            for worker in self._fleet.dead():
                self._reclaim_from(worker)
        self._resend_lost()

    def _has_lock(self) -> bool:
        return bool(self._lock(self._model, self._chunks.worker, int(1000 * LOCK_PAUSES * self.loop.pause_s)))

    def _release_lock_unless_liveness_known(self) -> None:
        if not self._liveness_known():
            self._unlock(self._model, self._chunks.worker)

    def _expire_jobs(self) -> None:
        with store_errors():
            due = self._client.zrangebyscore("retort:deadlines", "-inf", self._jobs.now_ms(), 0, MOST_EXPIRED)
        for job_id in cast("list[str]", due):
            self._jobs.expire(job_id)

    def _reclaim_from(self, worker: str) -> None:
        """Send the chunks that a dead worker held again."""
        leases = self._leases(worker)
        log.warning("worker %s is dead, it held %d chunks", worker, len(leases))
        self._resend(self._chunks.reclaim(leases, worker, f"worker {worker} died while it ran"), "dead-worker")
        self._fleet.leave(worker)

    def _leases(self, worker: str) -> set[Ticket]:
        with store_errors():
            return set(map(Ticket.parse, cast("set[str]", self._client.smembers(f"retort:leased:{worker}"))))

    def _resend_lost(self) -> None:
        missing = self._settled_tickets()
        if missing:
            # A worker may have taken one just now: its chunk is no longer queued when Redis is asked to send it again.
            self._resend(self._chunks.resend_lost(missing - self._queued_tickets()), "lost-message")

    def _settled_tickets(self) -> set[Ticket]:
        """The chunks that should be in the queue by now."""
        now = self._jobs.now_ms()
        with store_errors():
            queued = self._client.zrange(f"retort:queued:{self._model}", 0, -1, withscores=True)
        ages_ms = ((ticket, now - since) for ticket, since in cast("list[tuple[str, float]]", queued))
        # One queued in the future was queued before Redis's clock was set back.
        return {Ticket.parse(ticket) for ticket, age_ms in ages_ms if age_ms > SETTLED_AFTER_MS or age_ms < 0}

    def _queued_tickets(self) -> set[Ticket]:
        tickets: set[Ticket] = set()
        for lane in Lane:
            with store_errors():
                messages = self._client.lrange(queue_name(self._model, lane), 0, -1)
            tickets.update(_tickets(cast("list[str]", messages)))
        return tickets

    def _resend(self, resends: Sequence[Resend], why: str) -> None:
        if resends:
            RESENT_CHUNKS.labels(why).inc(len(resends))
            log.info("%d chunks are sent again: %s", len(resends), why)
            self._send(resends)


def _tickets(messages: Iterable[str]) -> Iterable[Ticket]:
    """The tickets of kombu's messages as they lie in Redis: an envelope whose body is base64 of Celery's arguments."""
    for message in messages:
        arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
        yield from unpack(arguments[0])
