"""The user of Redis that docs/scaling.md proposes may do all that Retort does, and little else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import redis
from pydantic import SecretStr
from redis.exceptions import NoPermissionError

from api.app import create_app
from api.settings import ApiSettings
from contract.redis_client import connect
from harness.answering_worker import AnsweringWorker
from harness.redis_server import RedisServer

PAGE = Path(__file__).parents[2] / "docs" / "scaling.md"


def say(client: redis.Redis, *command: str) -> object:
    return client.execute_command(*command)  # type: ignore[no-untyped-call]


@pytest.fixture
def restricted(store: redis.Redis, redis_server: RedisServer) -> Iterator[ApiSettings]:
    """Those of a service that has nothing but the documented user."""
    [rules] = re.findall(r"^user retort on #\w+ (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    say(store, "ACL", "SETUSER", "retort", "on", ">a/secret+", *rules.split())
    yield ApiSettings(
        redis_url=redis_server.url.replace("redis://", "redis://retort@"), redis_password=SecretStr("a/secret+")
    )
    say(store, "ACL", "DELUSER", "retort")
    say(store, "ACL", "LOG", "RESET")


def test_the_user_may_do_all_that_a_request_takes(store: redis.Redis, restricted: ApiSettings) -> None:
    app = create_app(restricted)
    with AnsweringWorker(restricted), app.test_client() as client:
        asked = {"json": {"texts": ["one", "two"]}, "headers": {"Idempotency-Key": "mine", "Prefer": "wait=10"}}
        answers = [client.post("/predict", **asked), client.post("/predict", json={"texts": ["three"]})]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert "retort_store_up 1.0" in client.get("/metrics").text
        assert client.delete(f"/jobs/{answers[0].get_json()['id']}").status_code == 204
    app.extensions["retort"].close()

    denied = {entry["object"] for entry in cast("list[dict[str, str]]", say(store, "ACL", "LOG"))}
    assert denied <= {"client"}  # the client library tries to say its name, which Redis 6 forbids and nobody needs


@pytest.mark.parametrize("command", [("GET", "another's"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST")])
def test_the_user_may_not_touch_what_is_not_retorts(restricted: ApiSettings, command: tuple[str, ...]) -> None:
    with pytest.raises(NoPermissionError):
        say(connect(restricted), *command)
