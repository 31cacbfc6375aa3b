"""Settings of the notifier, from `RETORT_*` environment variables on top of the shared ones."""

from __future__ import annotations

from pydantic import Field

from contract.settings import SharedSettings


class NotifierSettings(SharedSettings):
    """How webhooks are sent."""

    webhook_connections: int = Field(default=32, ge=1, description="webhooks that a notifier sends at once")
    webhook_connections_of_key: int = Field(
        default=16, ge=1, description="of one API key's, those that all notifiers send at once"
    )
    webhook_timeout_s: float = Field(
        default=10, gt=0, description="an attempt has so long, from the first question to the DNS to the answer"
    )
    webhook_first_pause_s: float = Field(
        default=5, gt=0, description="pause after the first failed attempt; each later one is three times as long"
    )
    webhook_give_up_s: float = Field(default=86_400, gt=0, description="a webhook that is older is not tried again")
    sweep_s: float = Field(default=1.0, gt=0, description="seconds between two sweeps for what was lost")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of /metrics; 0 for none")
    metrics_bind: str = Field(default="127.0.0.1", description="address of /metrics")
