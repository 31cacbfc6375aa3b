"""429: bounds on the backlog, and when to come back."""

from __future__ import annotations

import redis
from flask.testing import FlaskClient

from harness.answering_worker import AnsweringWorker
from tests.integration.api.conftest import MakeApp, context


def post(client: FlaskClient, texts: int, text: str = "a") -> tuple[int, str | None]:
    answer = client.post("/predict?wait=0", json={"texts": [text] * texts})
    return answer.status_code, answer.headers.get("Retry-After")


def test_a_full_backlog_refuses_before_anything_is_stored(make_app: MakeApp, store: redis.Redis) -> None:
    client = make_app(backlog_texts=10).test_client()
    assert post(client, 8)[0] == 202
    keys = sorted(store.keys())
    refused = client.post("/predict?wait=0", json={"texts": ["a"] * 3})
    assert refused.status_code == 429
    assert refused.get_json()["type"] == "/problems#backlog-full"
    assert "8 texts" in refused.get_json()["detail"]
    assert int(refused.headers["Retry-After"]) >= 1
    assert sorted(store.keys()) == keys


def test_bytes_are_bounded_too(make_app: MakeApp) -> None:
    client = make_app(backlog_bytes=1000).test_client()
    assert post(client, 1, "a" * 900)[0] == 202
    assert post(client, 1, "a" * 900)[0] == 429


def test_a_full_bulk_lane_leaves_the_interactive_lane_open(make_app: MakeApp) -> None:
    client = make_app(bulk_backlog_texts=300).test_client()
    assert [post(client, 300)[0], post(client, 300)[0], post(client, 1)[0]] == [202, 429, 202]


def test_the_fleet_s_rate_says_how_much_may_wait_and_when_to_return(make_app: MakeApp) -> None:
    app = make_app(backlog_s=5)
    with AnsweringWorker(context(app).settings, texts_per_s=10, held=True):
        context(app).fleet.refresh()
        client = app.test_client()
        assert post(client, 50)[0] == 202
        assert post(client, 20) == (429, "2")
