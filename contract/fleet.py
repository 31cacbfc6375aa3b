"""The workers that live: what each says of itself with every heartbeat, and what follows for the whole fleet."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

import redis
from pydantic import BaseModel, ConfigDict

from contract.redis_client import store_errors
from contract.settings import SharedSettings

WORKERS = "retort:workers"
SCHEMA = 1


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

    def beat(self, status: WorkerStatus) -> None:
        """Say that this worker lives, which keeps its leases."""
        with store_errors():
            now = self._now_ms()
            pipeline = self._client.pipeline(transaction=True)
            pipeline.zadd(WORKERS, {status.id: now})
            pipeline.set(f"retort:worker:{status.id}", status.model_dump_json(), ex=3600)
            pipeline.execute()

    def leave(self, worker: str) -> None:
        """Forget a worker: it has stopped, or it is dead and nothing is left of it."""
        with store_errors():
            self._client.zrem(WORKERS, worker)
            self._client.delete(f"retort:worker:{worker}")

    def live(self) -> list[WorkerStatus]:
        """The workers whose heartbeat is recent."""
        with store_errors():
            names = cast("list[str]", self._client.zrangebyscore(WORKERS, self._now_ms() - self._ttl_ms, "+inf"))
            stored = self._client.mget([f"retort:worker:{name}" for name in names]) if names else []
        return [WorkerStatus.model_validate_json(text) for text in stored if text]

    def dead(self) -> list[str]:
        """Ids of the workers whose heartbeat has stopped."""
        with store_errors():
            return cast("list[str]", self._client.zrangebyscore(WORKERS, "-inf", f"({self._now_ms() - self._ttl_ms}"))

    def _now_ms(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
