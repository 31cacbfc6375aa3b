"""Compressed bodies and answers, through the WSGI application and over real sockets."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
import zstandard
from flask import Flask
from flask.testing import FlaskClient

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker, answer_document
from harness.bombs import bombs
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from tests.integration.api.conftest import MakeApp

TEXTS = [f"text {n}" for n in range(300)]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
}
UNDO: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
BOMBS = bombs()


def post(client: FlaskClient, encoding: str, body: bytes, address: str = "/predict?wait=30") -> Any:
    return client.post(address, data=body, headers={"Content-Type": "application/json", "Content-Encoding": encoding})


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("encoding", COMPRESS)
def test_a_compressed_body_is_answered_as_a_plain_one(client: FlaskClient, encoding: str) -> None:
    answer = post(client, encoding, COMPRESS[encoding](json.dumps({"texts": TEXTS}).encode()))
    assert answer.get_json()["predictions"] == [answer_document(text) for text in TEXTS]


@pytest.mark.usefixtures("worker")
def test_so_is_a_compressed_message_of_the_open_inference_protocol(client: FlaskClient) -> None:
    tensor = {"name": "text", "shape": [300], "datatype": "BYTES", "data": TEXTS}
    body = gzip.compress(json.dumps({"inputs": [tensor]}).encode())
    answer = post(client, "gzip", body, "/v2/models/default/infer?wait=30")
    assert answer.get_json()["outputs"][0]["data"] == [answer_document(text)["label"] for text in TEXTS]


def test_what_comes_out_has_the_limit_of_a_body(make_app: MakeApp) -> None:
    client = make_app(max_body_bytes=3000).test_client()
    plain = json.dumps({"texts": ["a" * 3000]}).encode()
    answer = post(client, "gzip", gzip.compress(plain))
    assert (answer.status_code, answer.get_json()["type"]) == (413, "/problems#too-large")


def test_bodies_that_come_in_together_share_their_bound_by_what_comes_out(make_app: MakeApp) -> None:
    client = make_app(max_body_bytes=300_000, max_bodies_bytes=300_000, max_text_chars=300_000).test_client()
    answer = post(client, "gzip", gzip.compress(json.dumps({"texts": ["a"] * 40_000, "top_k": 1.5}).encode()))
    assert answer.status_code == 422
    assert client.application.extensions["retort"].bodies.held == 0


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_leaves_nothing(client: FlaskClient, app: Flask, name: str) -> None:
    answer = post(client, *BOMBS[name])
    assert answer.status_code in (400, 413)
    assert app.extensions["retort"].bodies.held == 0


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("encoding", UNDO)
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "text/csv"])
def test_answers_are_compressed_for_who_asks_for_it(client: FlaskClient, encoding: str, kind: str) -> None:
    job = client.post("/predict?wait=30", json={"texts": TEXTS}).get_json()["id"]
    plain = client.get(f"/jobs/{job}/results", headers={"Accept": kind})
    packed = client.get(f"/jobs/{job}/results", headers={"Accept": kind, "Accept-Encoding": encoding})
    assert packed.headers["Content-Encoding"] == encoding
    assert "Content-Encoding" not in plain.headers
    assert {"Accept", "Accept-Encoding"} <= {name.strip() for name in plain.headers["Vary"].split(",")}
    assert UNDO[encoding](packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2


@pytest.mark.parametrize("asked", ["", "br", "identity", "gzip;q=0", "identity, gzip;q=0.5"])
def test_who_does_not_ask_gets_the_answer_as_it_is(client: FlaskClient, asked: str) -> None:
    answer = client.get("/openapi.json", headers={"Accept-Encoding": asked})
    assert "Content-Encoding" not in answer.headers
    assert answer.get_json()["openapi"] == "3.1.0"


def test_a_short_answer_stays_as_it_is(client: FlaskClient) -> None:
    answer = client.get("/health/live", headers={"Accept-Encoding": "gzip"})
    assert answer.get_json() == {"status": "live"}


def test_lines_can_be_read_while_their_job_runs(app: Flask, settings: ApiSettings) -> None:
    client = app.test_client()
    job = client.post("/predict?wait=0", json={"texts": TEXTS}).get_json()["id"]
    headers = {"Accept": "application/x-ndjson", "Accept-Encoding": "gzip"}
    with AnsweringWorker(settings, held=True) as worker:
        worker.pause_s = 0.5
        worker.go.set()
        answer = client.get(f"/jobs/{job}/results", headers=headers, buffered=False)
        inflater = zlib.decompressobj(31)
        first = inflater.decompress(next(answer.iter_encoded()))
        state = client.get(f"/jobs/{job}").get_json()["status"]
        answer.close()
    assert json.loads(first.splitlines()[0]) == {"index": 0, **answer_document(TEXTS[0])}
    assert state == "running"


def test_real_clients_read_compressed_answers_over_real_sockets(
    store: redis.Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert store.ping()
    body = gzip.compress(json.dumps({"texts": TEXTS}).encode())
    with (
        AnsweringWorker(ApiSettings(redis_url=redis_server.url)),
        RunningService(tmp_path, "default", redis=redis_server, folder=tmp_path, workers=0) as service,
    ):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept-Encoding": "gzip"}
        answer = httpx.post(f"{service.url}/predict?wait=30", content=body, headers=headers)
        lines = httpx.get(
            f"{service.url}{answer.json()['results']}",
            headers={"Accept": "application/x-ndjson", "Accept-Encoding": "gzip"},
        )
    assert answer.json()["predictions"] == [answer_document(text) for text in TEXTS]
    assert answer.headers["Content-Encoding"] == lines.headers["Content-Encoding"] == "gzip"
    assert [json.loads(line)["label"] for line in lines.text.splitlines()] == [
        answer_document(text)["label"] for text in TEXTS
    ]
