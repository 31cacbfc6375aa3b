from __future__ import annotations

import gc
import os

# Worker and training share this process, and TensorFlow reads these once: Keras as training needs it, and weights that
# may change, as training changes them. tests/integration/test_frozen_weights.py runs the worker's own settings.
os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "0"}

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import redis

from contract.redis_client import connect
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.s3_server import BUCKET, S3Server

# How fast this machine runs an example is no rule of the code: emulated or busy machines run the same tests.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")
RunningService.forks_workers = True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that may take longest, so that none of them runs alone in the end."""
    longest_s: dict[Path, float] = defaultdict(float)
    for item in items:
        if bound := item.get_closest_marker("timeout"):
            longest_s[item.path] = max(longest_s[item.path], bound.args[0])
    items.sort(key=lambda item: -longest_s[item.path])


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: each look at all of TensorFlow would take most of a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def bucket_settings(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedSettings:
    """Settings of models in a bucket, below a prefix that is the test's own, and of a folder before it."""
    for name, value in s3_server.variables.items():
        monkeypatch.setenv(name, value)
    url = StoreUrl("s3", BUCKET, f"{uuid4().hex}/models")
    return SharedSettings(models_dir=url, models_cache_dir=tmp_path / "cache")


@pytest.fixture
def settings(redis_server: RedisServer) -> SharedSettings:
    return SharedSettings(redis_url=redis_server.url)


@pytest.fixture
def store(settings: SharedSettings) -> Iterator[redis.Redis]:
    """A client of an empty Redis."""
    client = connect(settings)
    client.flushall()
    yield client
    client.close()
