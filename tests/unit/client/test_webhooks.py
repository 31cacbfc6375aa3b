"""What the client takes for a webhook is what the specification's own library signs, and nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from contract.webhooks import OwedWebhook
from harness.webhook_receiver import SECRET
from notifier.signature import headers
from retort_client import webhooks
from retort_client.webhooks import TOLERANCE_S, BadWebhook

OTHER = "whsec_" + "b3RoZXIgc2VjcmV0IG9mIHRlc3RzLCBhbmQgdGVzdHMgb25seQ=="
SENT_S = 1_764_374_400
OWED = OwedWebhook(
    job_id="agraghjif5r26stp65nsosajqrlre", taken_ms=SENT_S * 1000, ends="1", attempt=1, since_ms=SENT_S * 1000,
    address="https://hooks.example.com/", signer="shop", state="failed", model="default", version="", texts=3, done=2,
    errors=1, finished_ms=SENT_S * 1000 + 5,
)  # fmt: skip
BODY = OWED.payload.encode()


def sent(*secrets: str) -> dict[str, str]:
    return headers(OWED.id, datetime.fromtimestamp(SENT_S, UTC), OWED.payload, secrets or [SECRET])


def test_what_the_notifier_sends_is_what_the_client_reads() -> None:
    event = webhooks.verify(BODY, sent(), SECRET, now_s=SENT_S)
    assert (event.id, event.job_id, event.status) == (f"{OWED.job_id}-1", OWED.job_id, "failed")
    assert (event.texts, event.done, event.errors) == (3, 2, 1)
    assert event.finished == datetime.fromtimestamp(SENT_S, UTC).replace(microsecond=5000)
    assert event.results == f"/jobs/{OWED.job_id}/results"


def test_the_payload_is_thin_and_of_the_specifications_form() -> None:
    document = json.loads(OWED.payload)
    assert document.keys() == {"type", "timestamp", "data"}
    assert document["type"] == "job.failed"
    assert document["data"]["model"] == {"name": "default", "version": None}


def test_the_signature_is_that_of_the_specification() -> None:
    signed = Webhook(SECRET).sign(OWED.id, datetime.fromtimestamp(SENT_S, UTC), OWED.payload)
    assert sent()["webhook-signature"] == signed
    now = headers(OWED.id, datetime.now(UTC), OWED.payload, [SECRET])
    assert Webhook(SECRET).verify(BODY, now) == json.loads(BODY)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_a_secret_is_rotated_either_verifies(secret: str) -> None:
    assert webhooks.verify(BODY, sent(SECRET, OTHER), secret, now_s=SENT_S).status == "failed"
    assert webhooks.verify(BODY, sent(SECRET), OTHER, SECRET, now_s=SENT_S).status == "failed"


def test_names_of_headers_may_be_in_any_case() -> None:
    shouted = {name.title(): value for name, value in sent().items()}
    assert webhooks.verify(BODY, shouted, SECRET, now_s=SENT_S).status == "failed"


@pytest.mark.parametrize("late_s", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_what_is_old_or_of_the_future_is_refused(late_s: float) -> None:
    with pytest.raises(BadWebhook, match="too long ago"):
        webhooks.verify(BODY, sent(), SECRET, now_s=SENT_S + late_s)


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({}, BODY.replace(b"failed", b"succee")),
        ({}, BODY + b" "),
        ({"webhook-id": "another-1"}, BODY),
        ({"webhook-timestamp": str(SENT_S + 1)}, BODY),
        ({"webhook-signature": "v1,"}, BODY),
        ({"webhook-signature": "v1a," + "A" * 43 + "="}, BODY),
        ({"webhook-signature": "v1,not base64"}, BODY),
        ({"webhook-signature": ""}, BODY),
    ],
)
def test_what_is_changed_is_refused(changed: dict[str, str], body: bytes) -> None:
    with pytest.raises(BadWebhook, match="not signed"):
        webhooks.verify(body, sent() | changed, SECRET, now_s=SENT_S)


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_lacks_a_header_is_refused(missing: str) -> None:
    with pytest.raises(BadWebhook, match="no webhook"):
        webhooks.verify(BODY, {name: value for name, value in sent().items() if name != missing}, SECRET, now_s=SENT_S)


def test_no_secret_verifies_nothing() -> None:
    with pytest.raises(BadWebhook):
        webhooks.verify(BODY, sent(), now_s=SENT_S)


def test_a_secret_that_is_none_is_the_receivers_mistake() -> None:
    with pytest.raises(ValueError, match="whsec_"):
        webhooks.verify(BODY, sent(), "no secret!", now_s=SENT_S)


def test_signed_by_us_but_of_another_form_is_refused() -> None:
    odd = headers("x-1", datetime.fromtimestamp(SENT_S, UTC), "[]", [SECRET])
    with pytest.raises(BadWebhook, match="not an event"):
        webhooks.verify(b"[]", odd, SECRET, now_s=SENT_S)
