"""kombu's channel to Redis, but no message that a stranger put into a queue ends the worker that reads it.

kombu lets any exception that a message causes out of the event loop, which ends the process, and the message is gone.
Here the message is handed to whoever keeps what is damaged, and the next one is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

Damaged = Callable[[str, str, Exception], object]
_listeners: list[Damaged] = []


class UnwantedMessage(Exception):
    """A message that is no task of this service."""


def on_damaged_message(listener: Damaged) -> None:
    """Tell `listener` the queue, the message and the error of every message that can't be read from here on.

    kombu builds channels by their class and gives them nothing, so there is one listener a process.
    """
    _listeners[:] = [listener]


class ReadingChannel(kombu_redis.Channel):
    """Reads messages, and notes which one is being read."""

    _reading: tuple[Any, Any] | None = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        client = super()._create_client(asynchronous)  # type: ignore[no-untyped-call]
        if asynchronous:
            client.set_response_callback("BRPOP", self._note)
        return client

    def _note(self, answer: Any, **_: Any) -> Any:
        self._reading = tuple(answer) if answer else None
        return self._reading

    def _brpop_read(self, **options: Any) -> Any:
        self._reading = None
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except Empty:
            raise
        except Exception as error:
            if self._reading is None:
                if isinstance(error, ReadOnlyError):
                    raise RedisConnectionError("this Redis is no primary any more") from error
                if isinstance(error, ResponseError):
                    raise Empty from error  # a queue of another type, which the next sweep sets aside
                raise
            queue, message = (_text(part) for part in self._reading)
            self._forget(message)
            for listener in _listeners:
                listener(queue, message, error)
            raise Empty from error

    def _forget(self, message: str) -> None:
        """Let the message no longer count among those that this worker may hold."""
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            self.qos.ack(json.loads(message)["properties"]["delivery_tag"])


class SentinelReadingChannel(ReadingChannel, kombu_redis.SentinelChannel):
    """Channel of the primary that Sentinels name."""


class Transport(kombu_redis.Transport):
    """The transport of the worker's connections to a Redis."""

    Channel = ReadingChannel


class SentinelTransport(kombu_redis.SentinelTransport):
    """The transport of the worker's connections to a primary that Sentinels name."""

    Channel = SentinelReadingChannel


def _text(part: Any) -> str:
    return part.decode(errors="backslashreplace") if isinstance(part, bytes) else str(part)
