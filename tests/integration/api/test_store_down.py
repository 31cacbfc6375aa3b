"""Redis goes away and comes back."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.jobs.sender import MessageSender, QueuedTicket
from api.settings import ApiSettings
from contract.message import Lane, Ticket
from harness.answering_worker import AnsweringWorker, answer_document
from harness.redis_server import DURABLE, RedisServer
from harness.until import until
from tests.integration.api.conftest import ClosingClient, context

NDJSON = {"Accept": "application/x-ndjson"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path, *DURABLE) as server:
        yield server


@pytest.fixture
def app(server: RedisServer) -> Iterator[Flask]:
    app = create_app(ApiSettings(redis_url=server.url))
    app.test_client_class = ClosingClient
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
    assert time.monotonic() - begun < 10  # where a client of Redis would try on for minutes
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems#store-unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_without_redis_the_process_lives_is_not_ready_and_is_measured(client: FlaskClient, server: RedisServer) -> None:
    server.kill()
    until(lambda: client.get("/health/ready").status_code == 503, 10, what="readiness to notice")
    assert client.get("/health/live").status_code == 200
    assert "retort_store_up 0.0" in client.get("/metrics").text


def test_the_service_starts_without_redis(tmp_path: Path) -> None:
    app = create_app(ApiSettings(redis_url=RedisServer(tmp_path).url))
    assert app.test_client().get("/health/live").status_code == 200
    context(app).close()


def test_a_client_goes_on_waiting_while_redis_restarts(
    app: Flask, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, wait = Event(), context(app).reader.wait_subscribed

    def noted(*asked: Any) -> Any:
        waits.set()
        return wait(*asked)

    monkeypatch.setattr(context(app).reader, "wait_subscribed", noted)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(app.test_client().post, "/predict?wait=30", json={"texts": ["a"]})
        assert waits.wait(10)  # the job is not only queued: the API knows that it is
        server.kill()
        time.sleep(1.5)  # longer than a waiting client goes without looking
        server.start()
        with AnsweringWorker(context(app).settings):
            answer = asking.result(60).get_json()
            assert answer.get("predictions") == [answer_document("a")], answer


def test_a_job_is_answered_after_redis_came_back(app: Flask, client: FlaskClient, server: RedisServer) -> None:
    location = client.post("/predict?wait=0", json={"texts": ["a"]}).headers["Location"]
    server.kill()
    server.start()
    with AnsweringWorker(context(app).settings):
        until(lambda: client.get(location).status_code == 200, what="an answer other than 503")
        answer = client.get(f"{location}?wait=10")
    assert answer.get_json()["predictions"] == [answer_document("a")]


def test_a_stream_goes_on_over_a_restart_of_redis(app: Flask, server: RedisServer) -> None:
    texts = [f"text {number}" for number in range(300)]
    job = app.test_client().post("/predict?wait=0", json={"texts": texts}).get_json()["id"]
    with AnsweringWorker(context(app).settings) as worker:
        worker.pause_s = 0.5
        lines = app.test_client().get(f"/jobs/{job}/results", headers=NDJSON, buffered=False).iter_encoded()
        read = [next(lines)]
    with ThreadPoolExecutor(1) as pool:
        server.kill()
        rest = pool.submit(list, lines)
        time.sleep(1)  # longer than a read of Redis is tried
        server.start()
        again = MessageSender(context(app).store, context(app).settings)
        chunks = context(app).jobs.status(job).chunks
        again.send(QueuedTicket("default", Lane.BULK, Ticket(job, chunk), 64) for chunk in range(chunks))
        with AnsweringWorker(context(app).settings):
            read += rest.result(60)
    found = [json.loads(line) for line in b"".join(read).decode().splitlines()]
    assert found == [{"index": number, **answer_document(text)} for number, text in enumerate(texts)]


def test_a_big_answer_whose_first_page_cant_be_read_is_an_error_and_no_broken_body(
    app: Flask, client: FlaskClient, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis goes away between the job's state and its results."""
    with AnsweringWorker(context(app).settings):
        job = client.post("/predict?wait=30", json={"texts": ["a"] * 300}).get_json()["id"]
    reader = context(app).reader

    def killed_first(*arguments: Any) -> Any:
        server.kill()
        return read_patiently(*arguments)

    read_patiently = reader.read_patiently
    monkeypatch.setattr(reader, "read_patiently", killed_first)
    answer = client.get(f"/jobs/{job}")
    assert (answer.status_code, answer.get_json()["type"]) == (503, "/problems#store-unavailable")


def test_the_later_pages_of_a_big_answer_outlast_a_restart(
    app: Flask, client: FlaskClient, server: RedisServer
) -> None:
    with AnsweringWorker(context(app).settings):
        job = client.post("/predict?wait=30", json={"texts": ["a"] * 3000}).get_json()["id"]
    parts = client.get(f"/jobs/{job}", buffered=False).iter_encoded()
    read = next(parts)
    server.kill()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(b"".join, parts)
        time.sleep(1)
        server.start()
        assert len(json.loads(read + rest.result(30))["predictions"]) == 3000


def test_a_redis_that_takes_no_writes_is_not_ready_and_is_quoted(app: Flask, client: FlaskClient) -> None:
    """As when the disk under its file is full."""
    context(app).store.config_set("min-replicas-to-write", 1)

    def reasons() -> str:
        return " ".join(client.get("/health/ready").get_json()["reasons"])

    until(lambda: "NOREPLICAS" in reasons(), 10)
    assert client.get("/health/ready").status_code == 503
    metrics = client.get("/metrics").text
    assert "retort_store_up 1.0" in metrics
    assert "retort_store_writable 0.0" in metrics
    context(app).store.config_set("min-replicas-to-write", 0)
    until(lambda: "retort_store_writable 1.0" in client.get("/metrics").text, 10)


def test_nobody_makes_redis_write_by_asking_how_it_stands(app: Flask, client: FlaskClient) -> None:
    def writes() -> int:
        return int(context(app).store.info("commandstats").get("cmdstat_set", {"calls": 0})["calls"])

    context(app).store_watch.close()
    before = writes()
    for path in ("/health/ready", "/metrics", "/status") * 5:
        assert client.get(path).status_code in (200, 503)
    assert writes() == before
