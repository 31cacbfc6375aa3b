"""What answers say to browsers, and which names they are asked by."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize("path", ["/models", "/health/live", "/docs/", "/problems", "/openapi.json", "/nothing"])
def test_nobody_frames_an_answer_or_reads_it_from_another_page(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_only_the_documentation_loads_anything(client: FlaskClient) -> None:
    assert client.get("/models").headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "script-src 'self' 'unsafe-inline'" in client.get("/docs/").headers["Content-Security-Policy"]


def test_a_request_to_another_name_is_refused_but_for_probes(client: FlaskClient) -> None:
    evil = {"Host": "evil.example"}
    for answer in (client.get("/models", headers=evil), client.post("/predict", json={"texts": ["a"]}, headers=evil)):
        assert (answer.status_code, answer.get_json()["type"]) == (421, "/problems#misdirected")
    for path in ("/health/live", "/metrics"):
        assert client.get(path, headers=evil).status_code == 200
