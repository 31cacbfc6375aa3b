from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.settings import ApiSettings
from tests.answering_worker import AnsweringWorker
from tests.redis_server import RedisServer


@pytest.fixture
def settings(redis_server: RedisServer) -> ApiSettings:
    return ApiSettings(redis_url=redis_server.url)


@pytest.fixture
def app(store: redis.Redis, settings: ApiSettings) -> Iterator[Flask]:
    """The application in front of an empty Redis."""
    assert store.dbsize() == 0
    app = create_app(settings)
    yield app
    app.extensions["retort"].close()


@pytest.fixture
def worker(app: Flask, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    with AnsweringWorker(settings) as worker:
        app.extensions["retort"].fleet.look()
        yield worker


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
