"""Hosts whose clocks are an hour apart: deadlines are on Redis' clock, everything else on clocks that can't be set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker, answer_document
from harness.process import ROOT
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.until import until
from tests.integration.api.test_gunicorn import api_alone

HOUR_S = 3600
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def worker(store: redis.Redis, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    assert store.ping()
    with AnsweringWorker(settings) as worker:
        yield worker


@pytest.fixture(params=[-HOUR_S, HOUR_S], ids=["behind", "ahead"])
def service(
    request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningService]:
    """An API whose clock is an hour from that of Redis and of the worker."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "shifted_clock"))
    monkeypatch.setenv("CLOCK_AHEAD_S", str(request.param))
    with api_alone(redis_server, tmp_path) as service:
        yield service


def test_jobs_are_answered_listed_and_expired_as_with_the_right_clock(
    service: RunningService, worker: AnsweringWorker
) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        until(lambda: client.get("/health/ready").is_success, 30)  # it knows the worker, and none of before
        answered = client.post("/predict", json={"texts": ["a b"]}).json()
        assert "predictions" in answered, answered
        assert answered["predictions"] == [answer_document("a b")]
        assert 0 <= answered["timing"]["total_s"] < 60
        worker.go.clear()
        open_job = client.post("/predict?wait=0", json={"texts": ["c"], "deadline_s": 600}).json()["id"]
        assert client.get(f"/jobs/{open_job}?wait=0.5").json()["status"] in ("queued", "running")
        assert {job["id"] for job in client.get("/jobs").json()["jobs"]} == {answered["id"], open_job}
        worker.go.set()
        assert client.get(f"/jobs/{open_job}?wait=30").json()["status"] == "succeeded"
        assert client.delete(f"/jobs/{open_job}").status_code in (200, 204)
        assert client.get(f"/jobs/{open_job}").status_code == httpx.codes.GONE
