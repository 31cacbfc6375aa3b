"""The headers by which a receiver knows that a webhook is ours: Standard Webhooks, symmetric signatures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from standardwebhooks.webhooks import Webhook as Signer


def headers(webhook_id: str, sent: datetime, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """Signed with each of the secrets, so that a receiver that knows any of them can verify it.

    sent: in UTC.
    """
    return {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(webhook_id, sent, body) for secret in secrets),
    }
