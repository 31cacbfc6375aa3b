"""A subscription to a real Redis: over lost connections, foreign messages and handlers that fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from contract.redis_client import connect
from contract.settings import SharedSettings
from contract.subscription import Subscription
from contract.unreadable import Unreadable
from harness.redis_server import RedisServer
from harness.until import until

CHANNEL = "retort:test"


class Listener:
    """A subscription and what it was told."""

    def __init__(self, client: redis.Redis) -> None:
        self.heard: list[str] = []
        self.subscribed = 0
        self.skipped: Counter[str] = Counter()
        unreadable = Unreadable(lambda kind: self.skipped.update([kind]))
        self.subscription = Subscription(
            client,
            CHANNEL,
            on_message=self._on_message,
            on_subscribed=self._on_subscribed,
            unreadable=unreadable,
            retry_s=0.05,
        )
        self.subscription.start()
        until(lambda: self.subscribed)

    def _on_message(self, text: str) -> None:
        if text == "fail":
            raise LookupError(text)
        self.heard.append(text)

    def _on_subscribed(self) -> None:
        self.subscribed += 1

    def hears(self, client: redis.Redis, text: str) -> bool:
        client.publish(CHANNEL, text)
        return bool(until(lambda: text in self.heard))


@pytest.fixture
def listener(store: redis.Redis) -> Iterator[Listener]:
    made = Listener(store)
    yield made
    made.subscription.stop()


def test_messages_are_heard_in_their_order(listener: Listener, store: redis.Redis) -> None:
    for number in range(100):
        store.publish(CHANNEL, str(number))
    until(lambda: len(listener.heard) == 100)
    assert listener.heard == [str(number) for number in range(100)]


def test_bytes_that_are_no_text_are_skipped_and_counted(listener: Listener, store: redis.Redis) -> None:
    for junk in (b"\xff\xfe", b"\x80", b"a\xc3"):
        store.publish(CHANNEL, junk)
    assert listener.hears(store, "next")
    assert (listener.heard, listener.skipped, listener.subscribed) == (["next"], {"push": 3}, 1)


def test_a_message_that_its_handler_fails_on_is_skipped(listener: Listener, store: redis.Redis) -> None:
    store.publish(CHANNEL, "fail")
    assert listener.hears(store, "next")
    assert listener.skipped == {"push": 1}


def test_a_push_of_a_foreign_type_is_skipped(listener: Listener, store: redis.Redis) -> None:
    listener.subscription._hear({"type": "invalidate", "channel": None, "data": [b"key"]})
    assert listener.hears(store, "next")
    assert listener.skipped == {"push": 1}


@pytest.mark.timeout(60)
def test_a_connection_that_is_cut_is_made_again_and_said_so(listener: Listener, store: redis.Redis) -> None:
    for cuts in range(1, 4):
        store.client_kill_filter(_type="pubsub")
        until(lambda: listener.subscribed == cuts + 1)  # noqa: B023
        assert listener.hears(store, f"after {cuts}")


def test_redis_may_be_away_at_the_start_and_later(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    client = connect(SharedSettings(redis_url=server.url))
    listener = Listener(client)
    server.kill()
    until(lambda: listener.subscription.loop.failures)
    server.start()
    until(lambda: listener.subscribed == 2)
    assert listener.hears(client, "back")
    assert listener.subscription.stop()
    server.kill()


def test_a_stop_takes_a_moment_and_leaves_no_connection(listener: Listener, store: redis.Redis) -> None:
    assert listener.subscription.stop(timeout_s=10)
    until(lambda: not store.pubsub_numsub(CHANNEL)[0][1])
