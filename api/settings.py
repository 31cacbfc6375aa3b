"""Settings of the API, from `RETORT_*` environment variables on top of the shared ones."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from contract.settings import PREFIX, SharedSettings

MiB = 2**20


class ApiSettings(SharedSettings):
    """How the API listens, what it accepts, how long it waits, and how much it lets pile up."""

    api_bind: str = Field(default="127.0.0.1:8000", description="address and port to listen on")
    api_probes_bind: str | None = Field(
        default=None, description="a second address, for /health and /metrics alone, that clients can't fill"
    )
    allowed_hosts: str = Field(
        default="", description="names that the service goes by, besides addresses, localhost and this machine's name"
    )
    forwarded_by: str = Field(default="", description="addresses of proxies whose SCRIPT_NAME and the like count")
    api_workers: int = Field(default=1, ge=1, description="processes of the API")
    api_connections: int = Field(default=2000, ge=1, description="clients that one process serves at once")
    api_header_s: float = Field(default=10, gt=0, description="a request's header has to come within so many seconds")
    api_body_s: float = Field(default=60, gt=0, description="a request's body has to come within so many seconds")
    api_silence_s: float = Field(default=90, gt=0, description="a client silent for so long inside a request is gone")
    log_texts: bool = Field(default=False, description="write the texts of each request to the request log")

    max_texts: int = Field(default=50_000, ge=1, description="texts of a request at most")
    max_text_chars: int = Field(default=50_000, ge=1, description="characters of a text at most")
    max_body_bytes: int = Field(default=16 * MiB, ge=1, description="bytes of a request's body at most")
    max_bodies_bytes: int = Field(
        default=128 * MiB, ge=1, description="bytes of all bodies that one process holds at once"
    )
    page_texts: int = Field(default=1000, ge=1, description="results of a page at most, and how many are held at once")

    default_wait_s: float = Field(default=10, ge=0, description="how long a request waits when it does not say")
    max_wait_s: float = Field(default=60, ge=0, description="how long a request can wait at most")
    max_waiting: int = Field(default=1500, ge=1, description="requests of one process that wait or stream at once")
    max_waiting_of_caller: int = Field(default=1000, ge=1, description="of these, those of one caller")
    default_deadline_s: int = Field(default=3600, ge=1, description="a job not done by then expires")
    max_deadline_s: int = Field(default=86_400, ge=1, description="the latest deadline that a request can ask for")
    idempotency_ttl_s: int = Field(default=86_400, ge=1, description="how long an Idempotency-Key is remembered")

    bulk_from_texts: int = Field(default=257, ge=1, description="a job of so many texts takes the bulk lane")
    backlog_texts: int = Field(default=20_000, ge=1, description="texts that may wait in the interactive lane")
    backlog_bytes: int = Field(default=64 * MiB, ge=1, description="bytes that may wait in the interactive lane")
    backlog_s: float = Field(default=5, gt=0, description="seconds of work that may wait in the interactive lane")
    bulk_backlog_texts: int = Field(default=500_000, ge=1, description="texts that may wait in the bulk lane")
    bulk_backlog_bytes: int = Field(default=512 * MiB, ge=1, description="bytes that may wait in the bulk lane")
    bulk_backlog_s: float = Field(default=3600, gt=0, description="seconds of work that may wait in the bulk lane")

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse settings of which one promises what another refuses."""
        for smaller, larger in (
            ("default_deadline_s", "max_deadline_s"),
            ("default_wait_s", "max_wait_s"),
            ("max_waiting_of_caller", "max_waiting"),
            ("max_waiting", "api_connections"),
            ("max_body_bytes", "max_bodies_bytes"),
        ):
            if getattr(self, smaller) > getattr(self, larger):
                raise PydanticCustomError(
                    "contradiction",
                    "{smaller}: {value} is more than {larger} allows, {bound}",
                    {
                        "smaller": (PREFIX + smaller).upper(),
                        "value": getattr(self, smaller),
                        "larger": (PREFIX + larger).upper(),
                        "bound": getattr(self, larger),
                    },
                )
        return self
