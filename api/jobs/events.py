"""Waiting for jobs: one thread a process listens for jobs that moved and wakes who waits for them here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

import redis

from api.http.presence import Presence
from contract.job_store import WAKE_CHANNEL
from contract.loop import Loop
from contract.subscription import Subscription
from contract.unreadable import Unreadable

RECONNECT_S = 0.2


class Waiter:
    """Somebody who waits for a job: woken when it moves, and when nobody is there any more to be told."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self.moved = Event()

    @property
    def is_gone(self) -> bool:
        return self._presence.is_gone

    def wait(self, seconds: float) -> None:
        """Wait for the next move since the last call, for `seconds` at most."""
        self.moved.wait(seconds)
        self.moved.clear()


class JobEvents:
    """Who waits for which job in this process."""

    def __init__(self, client: redis.Redis, unreadable: Unreadable) -> None:
        self._waiting: dict[str, set[Waiter]] = {}
        self._lock = Lock()
        self._subscription = Subscription(
            client,
            WAKE_CHANNEL,
            on_message=self._wake,
            # After a new subscription everybody looks, for nobody knows what was published before it.
            on_subscribed=self._wake_all,
            unreadable=unreadable,
            retry_s=RECONNECT_S,
        )
        self._subscription.start()

    @property
    def loop(self) -> Loop:
        return self._subscription.loop

    @contextmanager
    def subscribe(self, job_id: str, presence: Presence) -> Iterator[Waiter]:
        """A waiter that is woken whenever the job moves from here on, and when its client hangs up."""
        waiter = Waiter(presence)
        with self._lock:
            self._waiting.setdefault(job_id, set()).add(waiter)
        try:
            with presence.waking(waiter.moved):
                yield waiter
        finally:
            with self._lock:
                self._waiting[job_id].discard(waiter)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def close(self) -> None:
        self._subscription.stop()

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for waiter in self._waiting.get(job_id, ()):
                waiter.moved.set()

    def _wake_all(self) -> None:
        with self._lock:
            for waiting in self._waiting.values():
                for waiter in waiting:
                    waiter.moved.set()
