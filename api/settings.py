"""Settings of the API, from `RETORT_*` environment variables on top of the shared ones."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from contract.settings import SharedSettings

MiB = 2**20


class ApiSettings(SharedSettings):
    """How the API listens, what it accepts, how long it waits, and how much it lets pile up."""

    api_bind: str = Field(default="127.0.0.1:8000", description="address and port to listen on")
    api_workers: int = Field(default=1, ge=1, description="processes of the API")
    api_connections: int = Field(default=2000, ge=1, description="clients that one process serves at once")
    api_silence_s: float = Field(default=90, gt=0, description="a client silent for so long inside a request is gone")
    api_keys_file: Path | None = Field(default=None, description="API keys, as TOML; without it nobody needs a key")
    log_texts: bool = Field(default=False, description="write the texts of each request to the request log")

    max_texts: int = Field(default=50_000, ge=1, description="texts of a request at most")
    max_text_chars: int = Field(default=50_000, ge=1, description="characters of a text at most")
    max_body_bytes: int = Field(default=16 * MiB, ge=1, description="bytes of a request's body at most")
    page_texts: int = Field(default=1000, ge=1, description="results of a page at most, and how many are held at once")

    default_wait_s: float = Field(default=10, ge=0, description="how long a request waits when it does not say")
    max_wait_s: float = Field(default=60, ge=0, description="how long a request can wait at most")
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
