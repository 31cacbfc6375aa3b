"""Whether the client of a request is still there."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from flask import Request

SOCKET = "gunicorn.socket"
"""Where gunicorn puts the connection; api/server/connection.py gives it a `presence`."""


class ClientGone(ConnectionResetError):
    """Nobody reads the rest of the answer."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the client hung up")


class Presence:
    """A client that is there until it hangs up, once."""

    def __init__(self) -> None:
        self._gone = False
        self._wakes: set[Event] = set()

    @property
    def is_gone(self) -> bool:
        return self._gone

    def leave(self) -> None:
        """Note that the client hung up, and wake whatever waits on its behalf."""
        self._gone = True
        for event in tuple(self._wakes):
            event.set()

    @contextmanager
    def waking(self, event: Event) -> Iterator[None]:
        """Set the event when the client hangs up, at once if it has."""
        self._wakes.add(event)
        if self._gone:
            event.set()
        try:
            yield
        finally:
            self._wakes.discard(event)


def of(request: Request) -> Presence:
    """The presence of the request's client; one that never leaves where the server can't tell."""
    found = getattr(request.environ.get(SOCKET), "presence", None)
    return found if isinstance(found, Presence) else Presence()
