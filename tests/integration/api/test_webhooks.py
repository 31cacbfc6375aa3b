"""Who may ask for a webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.api.conftest import ALICE, MakeApp

URL = "https://hooks.example.com/"


@pytest.mark.parametrize(
    ("hosts", "has_keys", "why"),
    [
        ("", True, "this service sends no webhooks; RETORT_WEBHOOK_HOSTS"),
        ("hooks.example.com", False, "needs an API key with `webhook_secrets`"),
        ("hooks.example.com", True, "needs an API key with `webhook_secrets`"),
    ],
)
def test_without_hosts_or_a_secret_none_is_promised(
    make_app: MakeApp, keys_file: Path, hosts: str, has_keys: bool, why: str
) -> None:
    app = make_app(webhook_hosts=hosts, api_keys_file=keys_file if has_keys else None)
    refused = app.test_client().post("/predict?wait=0", json={"texts": ["a"], "webhook": URL}, headers=ALICE)
    assert refused.status_code == 422
    [error] = refused.get_json()["errors"]
    assert error["pointer"] == "/webhook"
    assert why in error["detail"]
