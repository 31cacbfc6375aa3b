"""Redis goes away and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from contract.message import Lane, queue_name
from harness.answering_worker import AnsweringWorker, answer_document
from harness.redis_server import DURABLE, RedisServer
from harness.until import until
from tests.integration.api.conftest import context


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, *DURABLE) as server:
        yield server


@pytest.fixture
def app(server: RedisServer) -> Iterator[Flask]:
    app = create_app(ApiSettings(redis_url=server.url))
    yield app
    context(app).close()


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/predict"), ("GET", f"/jobs/{'a' * 29}"), ("DELETE", f"/jobs/{'a' * 29}")]
)
def test_without_redis_a_request_is_refused_at_once(
    client: FlaskClient, server: RedisServer, method: str, path: str
) -> None:
    client.post("/predict?wait=0", json={"texts": ["warm"]})
    server.kill()
    begun = time.monotonic()
    answer = client.open(path, method=method, json={"texts": ["a"]})
    assert time.monotonic() - begun < 3
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems#store-unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_redis_the_process_lives_is_not_ready_and_is_measured(client: FlaskClient, server: RedisServer) -> None:
    server.kill()
    assert client.get("/health/live").status_code == 200
    assert client.get("/health/ready").status_code == 503
    assert "retort_store_up 0.0" in client.get("/metrics").text


def test_the_service_starts_without_redis(tmp_path: Path) -> None:
    app = create_app(ApiSettings(redis_url=RedisServer(tmp_path).url))
    assert app.test_client().get("/health/live").status_code == 200
    context(app).close()


def test_a_client_goes_on_waiting_while_redis_restarts(app: Flask, server: RedisServer) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.test_client().post, "/predict?wait=30", json={"texts": ["a"]})
        until(lambda: context(app).store.llen(queue_name("default", Lane.INTERACTIVE)))
        server.kill()
        time.sleep(1.5)  # longer than a waiting client goes without looking
        server.start()
        with AnsweringWorker(context(app).settings):
            assert asking.result(30).get_json()["predictions"] == [answer_document("a")]


def test_a_job_is_answered_after_redis_came_back(app: Flask, client: FlaskClient, server: RedisServer) -> None:
    location = client.post("/predict?wait=0", json={"texts": ["a"]}).headers["Location"]
    server.kill()
    server.start()
    with AnsweringWorker(context(app).settings):
        until(lambda: client.get(location).status_code == 200, what="an answer other than 503")
        answer = client.get(f"{location}?wait=10")
    assert answer.get_json()["predictions"] == [answer_document("a")]
