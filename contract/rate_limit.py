"""How many requests a key has made in this second, counted in Redis, so that its rate holds over all processes."""

from __future__ import annotations

import time
from collections.abc import Callable

import redis

from contract.lenient import unless_of_wrong_type
from contract.redis_client import store_errors

KEPT_S = 5
"""A counter outlives its second by so much, whatever the clocks of the API's hosts say."""


class RequestCounter:
    """Counters of one second each. Raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock

    def count(self, key: str) -> int:
        """Count one more request of this key; how many it has made in this second. 0 where a stranger has written."""
        name = f"retort:rate:{key}:{int(self._clock())}"

        def counted() -> int:
            pipeline = self._client.pipeline(transaction=False)
            pipeline.incr(name)
            pipeline.expire(name, KEPT_S)
            made, _ = pipeline.execute()
            return int(made)

        with store_errors():
            return int(unless_of_wrong_type(counted, 0))
