"""Links to reports that open for a while without a key: in Redis, where every process of the API finds them."""

from __future__ import annotations

import redis

from contract.lenient import unless_of_wrong_type
from contract.redis_client import store_errors


class LinkStore:
    """What each link's random part stands for. Raises StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def keep(self, token: str, target: str, ttl_s: int) -> None:
        with store_errors():
            self._client.set(f"retort:report:{token}", target, ex=ttl_s)

    def target(self, token: str) -> str | None:
        """What the link opens; None when it has run out, or was never given."""
        with store_errors():
            found = unless_of_wrong_type(lambda: self._client.get(f"retort:report:{token}"), None)
        return None if found is None else str(found)
