"""The document of GET /status."""

from __future__ import annotations

from pydantic import Field

from api.openapi.schemas import Document, Worker
from contract.artifact import Name
from contract.message import Lane


class LaneStatus(Document):
    """What waits in a lane of a model."""

    lane: Lane
    texts: int = Field(ge=0, description="texts that are not answered yet")
    bytes: int = Field(ge=0)
    seconds: float | None = Field(ge=0, description="until they are answered; null while no rate is measured")
    drained: int = Field(ge=0, description="texts that ever left the lane: a counter")


class ModelStatus(Document):
    """Who serves a model, how fast, and what waits for it."""

    name: Name
    workers: int = Field(ge=0, description="workers that are ready for it")
    texts_per_s: float = Field(ge=0, description="what they get through while they are busy")
    oldest_s: float = Field(ge=0, description="for how long the oldest text waits for a worker")
    lanes: list[LaneStatus]


class JobCounts(Document):
    """Jobs that have not ended, and counters of all there were."""

    open: int = Field(ge=0)
    accepted: int = Field(ge=0)
    refused: int = Field(ge=0)
    succeeded: int = Field(ge=0)
    failed: int = Field(ge=0)
    cancelled: int = Field(ge=0)
    expired: int = Field(ge=0)


class StoreStatus(Document):
    """Redis' memory."""

    used_bytes: int = Field(ge=0)
    limit_bytes: int = Field(ge=0, description="0 for no limit")


class RateSample(Document):
    """What was got through between two looks."""

    ago_s: float = Field(ge=0)
    texts_per_s: float = Field(ge=0)


class ServiceStatus(Document):
    """How the service stands."""

    ready: bool = Field(description="whether a text for the default model would be answered now")
    reasons: list[str] = Field(description="why not")
    models: list[ModelStatus]
    workers: list[Worker]
    jobs: JobCounts
    dead_letters: int = Field(ge=0, description="chunks that were given up and wait for an operator")
    store: StoreStatus
    lately: list[RateSample] = Field(
        description="texts a second of the last five minutes at most, since the API began, the oldest first"
    )
