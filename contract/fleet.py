"""The workers that live: what each says of itself with every heartbeat, and what follows for the whole fleet."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

import redis
from pydantic import BaseModel, ConfigDict

from contract.redis_client import Script, store_errors
from contract.settings import SharedSettings

WORKERS = "retort:workers"
SCHEMA = 1
STATUS_TTL_S = 3600


class WorkerState(StrEnum):
    """A worker takes work only while it is ready."""

    WAITING_FOR_MODEL = "waiting-for-model"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"


class WorkerStatus(BaseModel):
    """One heartbeat."""

    model_config = ConfigDict(frozen=True)

    schema_version: int = SCHEMA
    id: str
    host: str
    pid: int
    state: WorkerState
    device: str
    precision: str | None = None
    model: str
    version: str | None = None
    refused: dict[str, str] = {}
    """Versions that this worker refused to serve, and why."""
    texts_per_s: float = 0.0
    bytes_per_s: float = 0.0
    """What this worker gets through while it has work, averaged over the last batches."""


class Fleet:
    """Heartbeats in Redis. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: SharedSettings) -> None:
        self._client = client
        self._ttl_ms = int(settings.heartbeat_ttl_s * 1000)
        self._beat, self._leave = (Script(client, name) for name in ("beat", "leave"))

    def beat(self, status: WorkerStatus) -> None:
        """Say that this worker lives, which keeps its leases."""
        self._beat(status.id, status.model_dump_json(), STATUS_TTL_S)

    def leave(self, worker: str) -> None:
        """Forget a worker that has stopped, or is dead. One that still holds leases counts as dead from now on."""
        self._leave(worker)

    def live(self) -> list[WorkerStatus]:
        """The workers whose heartbeat is recent."""
        names = [name for name, age_ms in self._ages_ms() if self._is_recent(age_ms)]
        with store_errors():
            stored = self._client.mget([f"retort:worker:{name}" for name in names]) if names else []
        return [WorkerStatus.model_validate_json(text) for text in stored if text]

    def dead(self) -> list[str]:
        """Ids of the workers whose heartbeat has stopped."""
        return [name for name, age_ms in self._ages_ms() if not self._is_recent(age_ms)]

    def _ages_ms(self) -> list[tuple[str, float]]:
        """Each worker with the age of its last heartbeat."""
        with store_errors():
            beats = cast("list[tuple[str, float]]", self._client.zrange(WORKERS, 0, -1, withscores=True))
            now = self._now_ms()
        return [(name, now - beat) for name, beat in beats]

    def _is_recent(self, age_ms: float) -> bool:
        # A heartbeat from the future was written before Redis's clock was set back.
        return abs(age_ms) <= self._ttl_ms

    def _now_ms(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
