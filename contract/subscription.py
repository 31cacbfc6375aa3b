"""A channel of Redis that is listened to for as long as the process lives, over any loss of the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import redis

from contract.loop import RETRY_S, STOP_S, Loop
from contract.redis_client import store_errors
from contract.unreadable import Unreadable

LISTEN_S = 0.2
"""A read that waits for a message ends after so long, so that a stop is heard."""


class Subscription:
    """Calls `on_message(text)` for every message, on a thread of its own.

    Messages that are published while the connection is lost are not heard: whoever must not miss one looks again in
    `on_subscribed`, which is called after every subscription, the first included. What is no text, or what
    `on_message` fails on, is skipped.
    """

    def __init__(
        self,
        client: redis.Redis,
        channel: str,
        *,
        on_message: Callable[[str], object],
        unreadable: Unreadable,
        on_subscribed: Callable[[], object] = lambda: None,
        make_loop: Callable[..., Loop] = Loop,
        retry_s: float = RETRY_S,
    ) -> None:
        """`make_loop` builds the thread's loop from its name, its step and `retry_s`."""
        self._channel = channel
        self._on_message = on_message
        self._on_subscribed = on_subscribed
        self._unreadable = unreadable
        self._client = _client_of_bytes(client)
        self._pubsub: Any = None
        self.loop = make_loop(channel, self._listen, retry_s=retry_s)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Listen no more; True when the thread ended within `timeout_s`."""
        ended = self.loop.stop(timeout_s)
        if ended:
            self._disconnect()
            self._client.connection_pool.disconnect()
        return ended

    def _listen(self) -> None:
        """Hear one message, or wait for one for a moment."""
        try:
            with store_errors():
                message = self._next_message()
        except BaseException:
            self._disconnect()
            raise
        if message is not None:
            self._hear(message)

    def _next_message(self) -> dict[str, Any] | None:
        if self._pubsub is None:
            self._pubsub = self._client.pubsub()  # type: ignore[no-untyped-call]
            self._pubsub.subscribe(self._channel)
        return cast("dict[str, Any] | None", self._pubsub.get_message(timeout=LISTEN_S))

    def _hear(self, message: dict[str, Any]) -> None:
        kind, data = str(message["type"]), message["data"]
        if kind == "subscribe":
            self._on_subscribed()
        elif kind != "message":
            self._unreadable.skip("push", self._channel, f"a push of type {kind:.40}")
        else:
            try:
                self._on_message(data.decode())
            except Exception as error:  # noqa: BLE001  whatever one message does, the next ones are heard
                self._unreadable.skip("push", self._channel, error)

    def _disconnect(self) -> None:
        if self._pubsub is not None:
            pubsub, self._pubsub = self._pubsub, None
            pubsub.close()


def _client_of_bytes(client: redis.Redis) -> redis.Redis:
    """A client of the same Redis that decodes nothing.

    A message that is no UTF-8 fails in here, where it harms no other, instead of in the middle of the connection's
    parser.
    """
    pool = client.connection_pool
    options = {**pool.connection_kwargs, "decode_responses": False}
    return redis.Redis(connection_pool=redis.ConnectionPool(pool.connection_class, max_connections=2, **options))
