from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.context import AppContext
from api.settings import ApiSettings
from contract.api_keys import digest
from harness.answering_worker import AnsweringWorker
from harness.redis_server import RedisServer

MakeApp = Callable[..., Flask]
KEYS = f"""
[[keys]]
name = "alice"
sha256 = "{digest("alice's key")}"

[[keys]]
name = "bob"
sha256 = "{digest("bob's key")}"
rate_per_s = 3
max_texts = 2
"""
ALICE, BOB = {"Authorization": "Bearer alice's key"}, {"X-API-Key": "bob's key"}


class ClosingClient(FlaskClient):
    """Reads and closes each answer, as a server does; `buffered=False` leaves it open."""

    def open(self, *args: Any, buffered: bool = True, **more: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **more)


@pytest.fixture
def settings(redis_server: RedisServer) -> ApiSettings:
    return ApiSettings(redis_url=redis_server.url)


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(KEYS)
    return path


@pytest.fixture
def make_app(store: redis.Redis, settings: ApiSettings) -> Iterator[MakeApp]:
    """Makes applications in front of an empty Redis, each with settings of its own."""
    assert store.dbsize() == 0
    made: list[Flask] = []

    def make(**changes: object) -> Flask:
        app = create_app(settings.model_copy(update=changes))
        app.test_client_class = ClosingClient
        made.append(app)
        return app

    yield make
    for app in made:
        context(app).close()


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def worker(app: Flask, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    with AnsweringWorker(settings) as worker:
        context(app).fleet.refresh()
        yield worker


def context(app: Flask) -> AppContext:
    found: AppContext = app.extensions["retort"]
    return found
