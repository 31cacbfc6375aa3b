"""The workers that live: what each says of itself with every heartbeat, and what follows for the whole fleet."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, cast

import redis
from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from contract.lenient import unless_of_wrong_type
from contract.redis_client import Script, store_errors
from contract.selection import EVERY, Selection
from contract.settings import SharedSettings
from contract.unreadable import Unreadable

WORKERS = "retort:workers"
SERVED = "retort:served"
SCHEMA = 1
STATUS_TTL_S = 3600
REMEMBERED_S = 600
"""A model counts as served for so long after the last heartbeat that named it: its worker may be starting again."""


class WorkerState(StrEnum):
    """A worker takes work only while it is ready."""

    WAITING_FOR_MODEL = "waiting-for-model"
    LOADING = "loading"
    READY = "ready"
    UNLOADED = "unloaded"
    """Of a model: not in memory, and loaded when a job for it comes."""
    DRAINING = "draining"
    UNKNOWN = "unknown"
    """What a newer release calls by another name; nobody counts on such a worker."""


def _known_state(state: object) -> object:
    is_news = isinstance(state, str) and state not in list(WorkerState)
    return WorkerState.UNKNOWN if is_news else state


class ServedModel(BaseModel):
    """One model of a worker."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    model: str
    state: Annotated[WorkerState, BeforeValidator(_known_state)]
    precision: str | None = None
    version: str | None = None
    refused: dict[str, str] = {}
    """Versions that this worker refused to serve, and why."""
    texts_per_s: float = 0.0
    bytes_per_s: float = 0.0
    """What this worker gets through while it has work for the model, averaged over the last batches."""


class WorkerStatus(ServedModel):
    """One heartbeat. Of one that a newer release wrote, what is known here is read.

    What it says of a model itself is of the first one, for readers that know of no others.
    """

    schema_version: int = SCHEMA
    id: str
    host: str
    pid: int
    device: str
    models: tuple[ServedModel, ...] = ()
    """Every model that it serves or is to serve."""
    complaint: str | None = None
    """Why it may not know the newest models, where they are kept in object storage."""
    every: bool = False
    """Whether it serves whatever else appears on the volume."""

    @model_validator(mode="before")
    @classmethod
    def has_a_model(cls, heartbeat: Any) -> Any:
        """A heartbeat of a release whose workers have one model each names it only at its top."""
        if not isinstance(heartbeat, dict) or heartbeat.get("models"):
            return heartbeat
        only = {name: heartbeat[name] for name in ServedModel.model_fields if name in heartbeat}
        return heartbeat | {"models": (only,)}

    def of(self, model: str) -> ServedModel | None:
        """What it says of this model."""
        return next((each for each in self.models if each.model == model), None)

    def would_serve(self, model: str) -> bool:
        """True when jobs for the model are answered by this worker, now or once it has loaded it."""
        return self.every or self.of(model) is not None


class Fleet:
    """Heartbeats in Redis. Every method raises StoreUnavailable."""

    def __init__(self, client: redis.Redis, settings: SharedSettings, unreadable: Unreadable | None = None) -> None:
        self._client = client
        self._unreadable = unreadable or Unreadable()
        self._ttl_ms = int(settings.heartbeat_ttl_s * 1000)
        self._beat, self._leave = (Script(client, name) for name in ("beat", "leave"))

    def beat(self, status: WorkerStatus) -> None:
        """Say that this worker lives, which keeps its leases, and what it serves."""
        served = [each.model for each in status.models] + [EVERY] * status.every
        self._beat(status.id, status.model_dump_json(), STATUS_TTL_S, REMEMBERED_S * 1000, *served)

    def leave(self, worker: str) -> None:
        """Forget a worker that has stopped, or is dead. One that still holds leases counts as dead from now on."""
        self._leave(worker)

    def live(self) -> list[WorkerStatus]:
        """The workers whose heartbeat is recent and can be read; others live too, and nobody buries them."""
        names = [name for name, age_ms in self._ages_ms() if self._is_recent(age_ms)]
        with store_errors():
            asked = [f"retort:worker:{name}" for name in names]
            stored = cast("list[str | None]", self._client.mget(asked)) if names else []
        found = (self._read(*pair) for pair in zip(names, stored, strict=True))
        return [status for status in found if status is not None]

    def _read(self, name: str, text: str | None) -> WorkerStatus | None:
        if text is None:
            return None
        try:
            return WorkerStatus.model_validate_json(text)
        except ValueError as error:
            self._unreadable.skip("heartbeat", name, error)
            return None

    def served_lately(self) -> Selection:
        """What workers serve that live, or lived a while ago and may be starting again."""
        with store_errors():
            names = cast("list[str]", unless_of_wrong_type(lambda: self._client.zrange(SERVED, 0, -1), []))
        return Selection(tuple(name for name in names if name != EVERY), EVERY in names)

    def dead(self) -> list[str]:
        """Ids of the workers whose heartbeat has stopped."""
        return [name for name, age_ms in self._ages_ms() if not self._is_recent(age_ms)]

    def _ages_ms(self) -> list[tuple[str, float]]:
        """Each worker with the age of its last heartbeat."""
        with store_errors():
            read = unless_of_wrong_type(lambda: self._client.zrange(WORKERS, 0, -1, withscores=True), [])
            beats = cast("list[tuple[str, float]]", read)
            now = self._now_ms()
        return [(name, now - beat) for name, beat in beats]

    def _is_recent(self, age_ms: float) -> bool:
        # A heartbeat from the future was written before Redis's clock was set back.
        return abs(age_ms) <= self._ttl_ms

    def _now_ms(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
