"""The key that job ids are hashed with: one for all API processes, kept in Redis."""

from __future__ import annotations

import re
import time

import redis

from contract import ids
from contract.lenient import unless_of_wrong_type
from contract.quarantine import Quarantine
from contract.redis_client import store_errors

KEY = "retort:id-key"
IS_KEY = re.compile("[0-9a-f]{64}")
LOOK_AGAIN_S = 5.0


class IdKey:
    """Issues ids and knows those that were issued. Every method raises StoreUnavailable.

    A Redis that comes back empty gets the key again from the processes that know it, so that the ids of lost jobs are
    still told from strangers'.
    """

    def __init__(self, client: redis.Redis, quarantine: Quarantine) -> None:
        self._client = client
        self._quarantine = quarantine
        self._key: bytes | None = None
        self._looked_at = float("-inf")

    def issue(self, now_ms: int, caller: str = "") -> str:
        """A new job id for this caller."""
        if self._key is None or time.monotonic() - self._looked_at > LOOK_AGAIN_S:
            self._key = self._look()
        return ids.issue(self._key, now_ms, caller)

    def was_issued(self, job_id: str, caller: str = "") -> bool:
        """True when a process of this service issued the id for this caller."""
        if self._key is not None and ids.was_issued(self._key, job_id, caller):
            return True
        self._key = self._look()
        return ids.was_issued(self._key, job_id, caller)

    def _look(self) -> bytes:
        """The key in Redis, written there first if there is none or if it is no key."""
        mine = (self._key or ids.new_key()).hex()
        with store_errors():
            self._client.set(KEY, mine, nx=True)
            stored = str(unless_of_wrong_type(lambda: self._client.get(KEY), "of another type"))
            if not IS_KEY.fullmatch(stored):
                self._quarantine.note("key", KEY, "it is no key for ids, and is written anew", stored)
                self._client.set(KEY, mine)
                stored = mine
        self._looked_at = time.monotonic()
        return bytes.fromhex(stored)
