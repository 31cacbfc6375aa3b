"""Hears of jobs that were cancelled or have expired, so that their texts leave the batcher in time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

import redis

from contract.chunk_store import CANCELLED_CHANNEL

log = logging.getLogger(__name__)
RETRY_S = 1.0


class Cancellations:
    """Calls `on_cancelled(job id)` for each. One that is missed while Redis is away costs time, never an answer."""

    def __init__(self, client: redis.Redis, on_cancelled: Callable[[str], object]) -> None:
        self._client = client
        self._on_cancelled = on_cancelled
        self._stop = Event()
        self._thread = Thread(target=self._loop, name="cancellations", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._listen()
            except redis.RedisError as error:
                log.debug("cancellations are not heard: %s", error)
                self._stop.wait(RETRY_S)

    def _listen(self) -> None:
        with self._client.pubsub(ignore_subscribe_messages=True) as subscription:  # type: ignore[no-untyped-call]
            subscription.subscribe(CANCELLED_CHANNEL)
            while not self._stop.is_set():
                message = subscription.get_message(timeout=RETRY_S)
                if message is not None:
                    self._on_cancelled(message["data"])
