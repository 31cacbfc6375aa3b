"""Waiting for jobs: one thread a process listens for jobs that moved and wakes who waits for them here."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread

import redis

from contract.job_store import WAKE_CHANNEL

log = logging.getLogger(__name__)

LISTEN_S = 0.2
RECONNECT_S = 0.2


class JobEvents:
    """Who waits for which job in this process."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._waiting: dict[str, set[Event]] = {}
        self._lock = Lock()
        self._stopped = Event()
        self._listening = True
        self._thread = Thread(target=self._run, name="waiters", daemon=True)
        self._thread.start()

    @contextmanager
    def subscribe(self, job_id: str) -> Iterator[Event]:
        """An event that is set whenever the job moves from here on."""
        moved = Event()
        with self._lock:
            self._waiting.setdefault(job_id, set()).add(moved)
        try:
            yield moved
        finally:
            with self._lock:
                self._waiting[job_id].discard(moved)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except redis.RedisError as error:
                if self._listening:
                    log.warning("lost the wake-up channel", extra={"error": str(error)})
                self._listening = False
                time.sleep(RECONNECT_S)

    def _listen(self) -> None:
        with self._client.pubsub() as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(WAKE_CHANNEL)
            self._listening = True
            while not self._stopped.is_set():
                message = pubsub.get_message(timeout=LISTEN_S)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._wake_all()
                elif message["type"] == "message":
                    self._wake(message["data"])

    def _wake(self, job_id: str) -> None:
        with self._lock:
            for moved in self._waiting.get(job_id, ()):
                moved.set()

    def _wake_all(self) -> None:
        """After a new subscription, for nobody knows what was published before it."""
        with self._lock:
            for waiting in self._waiting.values():
                for moved in waiting:
                    moved.set()
