from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import redis

from api.app import create_app
from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker
from harness.redis_server import RedisServer
from retort_client import Client
from tests.integration.client.faulty_server import FaultyServer

Serve = Callable[..., FaultyServer]


@pytest.fixture
def settings(redis_server: RedisServer) -> ApiSettings:
    return ApiSettings(redis_url=redis_server.url)


@pytest.fixture
def serve(store: redis.Redis, settings: ApiSettings) -> Iterator[Serve]:
    """Serves the application in front of an empty Redis, with other settings where they are given."""
    assert store.dbsize() == 0
    with ExitStack() as stack:

        def start(**changes: object) -> FaultyServer:
            app = create_app(settings.model_copy(update=changes))
            stack.callback(app.extensions["retort"].close)
            return stack.enter_context(FaultyServer(app))

        yield start


@pytest.fixture
def server(serve: Serve) -> FaultyServer:
    return serve()


@pytest.fixture
def worker(server: FaultyServer, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    with AnsweringWorker(settings) as worker:
        server.app.extensions["retort"].fleet.refresh()
        yield worker


@pytest.fixture
def client(server: FaultyServer) -> Iterator[Client]:
    with Client(server.url, timeout_s=60) as client:
        yield client
