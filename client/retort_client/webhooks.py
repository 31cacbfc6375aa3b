"""Webhooks that a Retort service sends, verified: Standard Webhooks (https://www.standardwebhooks.com).

event = webhooks.verify(body, request.headers, "whsec_…")
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

TOLERANCE_S = 300.0
"""How far the clocks of sender and receiver may be apart; what is older may be sent again by a stranger."""
PREFIX = "whsec_"


class BadWebhook(ValueError):
    """What came is no webhook of the service, or is too old."""


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """A job has ended."""

    id: str
    """The same whenever the same event comes again, which it may: whoever has seen it has nothing to do."""
    job_id: str
    status: str
    """`succeeded`, `failed`, `cancelled` or `expired`."""
    texts: int
    done: int
    """Texts that were answered, with a prediction or an error."""
    errors: int
    finished: datetime
    results: str
    """Path of the job's results; `client.job(event.job_id).results()` reads them."""


def verify(body: bytes, headers: Mapping[str, str], *secrets: str, now_s: float | None = None) -> WebhookEvent:
    """The event that came. Raises BadWebhook unless it is signed with one of the secrets, and recently.

    body: as it came, before anything parses it. now_s: Unix seconds; the clock's unless given.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        event_id, sent, signatures = (named[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        sent_s = int(sent)
    except (KeyError, ValueError) as error:
        raise BadWebhook(f"no webhook: {error}") from error
    if abs((time.time() if now_s is None else now_s) - sent_s) > TOLERANCE_S:
        raise BadWebhook("it was sent too long ago, or the clocks differ")
    signed = f"{event_id}.{sent_s}.".encode() + body
    expected = [hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets]
    found = list(map(_signature, signatures.split()))
    # No short cut: how long it takes must tell nobody how much of a signature was right.
    if not sum(hmac.compare_digest(one, other) for one in expected for other in found):
        raise BadWebhook("it is not signed with this secret")
    return _event(event_id, body)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a secret is {PREFIX} and base64") from error


def _signature(text: str) -> bytes:
    """The signature of one of the header's entries; nothing for those of other versions."""
    version, _, encoded = text.partition(",")
    try:
        return base64.b64decode(encoded, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""


def _event(event_id: str, body: bytes) -> WebhookEvent:
    try:
        document: dict[str, Any] = json.loads(body)
        data, progress = document["data"], document["data"]["progress"]
        return WebhookEvent(
            id=event_id,
            job_id=data["id"],
            status=data["status"],
            texts=progress["texts"],
            done=progress["done"],
            errors=progress["errors"],
            finished=datetime.fromisoformat(document["timestamp"]),
            results=data["results"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise BadWebhook(f"not an event of this release: {type(error).__name__} {error}") from error
