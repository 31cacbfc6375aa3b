"""Real workers and a real API in front of models in a bucket, which may go away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from contract.fleet import WorkerState
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.s3_server import BUCKET, SECRET, S3Server
from harness.truth import is_right
from harness.until import until
from tests.store_rig import add_version
from training.artifact.opened import open_store
from training.artifact.store import Store

QUICK: dict[str, Any] = {
    "heartbeat_s": 0.3,
    "heartbeat_ttl_s": 1.5,
    "reload_s": 0.2,
    "models_follow_s": 0.2,
    "precision": "float32",
    "device": "cpu",
    "cpu_threads": 1,
}
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server of its own, for it is stopped."""
    with pytest.MonkeyPatch.context() as patched, S3Server(tmp_path_factory.mktemp("s3")) as server:
        for name, value in server.variables.items():
            patched.setenv(name, value)
        yield server


@pytest.fixture(scope="module")
def store(server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Store:  # noqa: ARG001  what it connects to
    settings = SharedSettings(
        models_dir=StoreUrl("s3", BUCKET, "served"), models_cache_dir=tmp_path_factory.mktemp("training")
    )
    return open_store(settings, "tiny")


@pytest.fixture(scope="module")
def service(
    store: Store, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    add_version(store, folder, 1)
    url = StoreUrl("s3", BUCKET, "served")
    places: dict[str, Any] = {"models_dir": url, "models_cache_dir": folder / "cache"}
    with RunningService(folder, redis=redis_server, folder=folder, **places, **QUICK) as service:
        yield service


def ready(service: RunningService) -> dict[str, Any]:
    answer = httpx.get(f"{service.url}/health/ready", timeout=30)
    return {"code": answer.status_code, **answer.json()}


def served_version(service: RunningService) -> str | None:
    return next((worker.version for worker in service.fleet.live()), None)


def answers(service: RunningService) -> bool:
    """Whether a text gets the answer of the version that is served."""
    answer = httpx.post(f"{service.url}/predict", json={"texts": ["a b c"], "scores": True}, timeout=60)
    seed = int(str(served_version(service)).partition("-")[0][-1])
    return is_right(answer.json()["predictions"][0], "a b c", seed)


def test_what_is_published_is_served_and_shown(service: RunningService, store: Store, tmp_path: Path) -> None:
    assert answers(service)

    version = add_version(store, tmp_path, 2)

    until(lambda: served_version(service) == version, PATIENCE_S, what="the new version")
    assert answers(service)
    until(lambda: current(service) == version, PATIENCE_S, what="the API to show it")
    versions = httpx.get(f"{service.url}/models/tiny").json()["versions"]
    assert [each["version"] for each in versions] == store.versions.names()[::-1]
    assert [each["problem"] for each in versions] == [None, None]

    store.rollback()
    until(lambda: served_version(service) != version, PATIENCE_S, what="the version before")
    assert answers(service)


def current(service: RunningService) -> str:
    found: str = httpx.get(f"{service.url}/models/tiny").json()["current"]
    return found


def test_a_bucket_that_hangs_or_is_gone_changes_nothing_for_what_is_served_and_is_told(
    service: RunningService, server: S3Server
) -> None:
    before = served_version(service)
    server.pause()
    for _ in range(20):  # the process of the API is kept waiting by nothing
        begun = time.monotonic()
        assert httpx.get(f"{service.url}/health/live").status_code == 200
        assert time.monotonic() - begun < 5
        time.sleep(0.05)
    server.kill()

    until(lambda: len(ready(service).get("warnings", [])) >= 2, PATIENCE_S, what="API and worker to say so")
    found = ready(service)
    assert (found["code"], found["status"]) == (200, "ready")
    assert all(f"s3://{BUCKET}/served: " in warning for warning in found["warnings"])
    assert service.metric("retort_models_behind") == 1.0
    assert answers(service)

    late = service.start_worker()
    until(lambda: service.is_ready(late), PATIENCE_S, what="a worker that starts without the bucket")
    status = service.status(late)
    assert status
    assert (status.state, status.version) == (WorkerState.READY, before)
    for process in service.processes.values():
        assert SECRET not in process.log.read_text()
