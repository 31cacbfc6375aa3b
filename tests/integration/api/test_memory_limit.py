"""An API that gets no more memory fails on what is too large for it, and goes on with the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker, answer_document
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.until import until
from tests.integration.api.test_gunicorn import api_alone

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="bounds the memory of a running process"),
]
ROOM_BYTES = 20_000_000
LARGE = {"texts": ["a" * 40_000] * 380}
"""15 MB."""


@pytest.fixture
def service(redis_server: RedisServer, tmp_path: Path) -> Iterator[RunningService]:
    with api_alone(redis_server, tmp_path) as service:
        yield service


@pytest.fixture
def worker(store: redis.Redis, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    assert store.ping()
    with AnsweringWorker(settings) as worker:
        yield worker


def bound_memory(service: RunningService) -> None:
    """Give the process that serves now hardly any more memory than it has."""
    [process] = psutil.Process(service.api.pid).children()
    if sys.platform == "linux":  # others are skipped, and their psutil does not know it
        _, most = process.rlimit(psutil.RLIMIT_AS)
        process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + ROOM_BYTES, most))


def status_of(client: httpx.Client, **asked: Any) -> int | None:
    """The answer's status; None when the connection broke."""
    try:
        return client.post("/predict", **asked).status_code
    except httpx.TransportError:
        return None


@pytest.mark.usefixtures("worker")
def test_a_request_that_memory_does_not_suffice_for_fails_and_the_next_ones_are_answered(
    service: RunningService,
) -> None:
    """By the same process or by a new one: the JSON parser, which is no Python, ends its process for want of memory."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        for _ in range(3):
            bound_memory(service)
            assert status_of(client, params={"wait": 0}, json=LARGE) in (None, 500, 503)
            until(lambda: status_of(client, json={"texts": ["a"]}) == httpx.codes.OK, what="an answer")
            answered = client.post("/predict", json={"texts": ["a b"]})
            assert answered.json()["predictions"] == [answer_document("a b")]
        assert client.get("/health/live").status_code == httpx.codes.OK
