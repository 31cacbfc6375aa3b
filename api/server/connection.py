"""A client's connection: how long its request may take to arrive, and whether it is still there.

To be imported once gevent has patched the standard library.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any, NamedTuple

import gevent
import gevent.monkey
import gevent.socket

from api.http.presence import Presence
from contract.loop import Loop

WATCH_S = 1.0
OF_KNOWN_LENGTH = b"\r\nContent-Length:"
EPOLLRDHUP, EPOLLET = 0x2000, 0x80000000
"""As Linux numbers them; gevent takes the names away."""


class Patience(NamedTuple):
    """Seconds that the service gives a client."""

    idle_s: float
    """Between two requests."""
    header_s: float
    """From the first byte of a request to the end of its header; for the first request, from the connection on."""
    body_s: float
    """From there to the end of the body."""
    silence_s: float
    """Between two signs of life in a body or an answer."""


class Connection(gevent.socket.socket):
    """The socket that gunicorn reads a request from and writes its answer to."""

    def __init__(
        self, client: gevent.socket.socket, *, patience: Patience, hang_ups: HangUps, serves_probes: bool
    ) -> None:
        super().__init__(fileno=client.detach())
        self.presence = Presence()
        self.serves_probes = serves_probes
        """Whether the client came by the address that is for probes alone."""
        self.is_known = serves_probes
        """Whether a request of this connection was answered; probes count as known."""
        self._hang_ups = hang_ups
        self._patience = patience
        self._is_between_requests = False
        self._in_header = True
        self._end = time.monotonic() + patience.header_s
        self._continue_is_due = False
        self._head_is_due = False
        self._head = b""
        hang_ups.watch(self)

    def close(self) -> None:
        self._hang_ups.forget(self)
        super().close()

    def is_reset(self) -> bool:
        """True when the client has broken the connection off, so that no answer can reach it."""
        return self.getsockopt(gevent.socket.SOL_SOCKET, gevent.socket.SO_ERROR) != 0

    def await_request(self) -> None:
        """Begin the time in which the next request has to come; that of the first began with the connection."""
        if not self._in_header:
            self._is_between_requests = self._in_header = True
            self._end = time.monotonic() + self._patience.idle_s

    def await_body(self, *, announced: bool) -> None:
        """Begin the time in which the body has to come.

        announced: the client sends it only once it has leave to (100-continue).
        """
        self._is_between_requests = self._in_header = False
        self._end = time.monotonic() + self._patience.body_s
        self._continue_is_due = announced
        self._head_is_due = True

    def recv(self, *arguments: int) -> bytes:
        """Read bytes. Raises TimeoutError for a late body; a late header reads as a connection that ended."""
        if self._continue_is_due:
            # Not before the application wants the body: what is refused by its header alone never gets here.
            self._continue_is_due = False
            super().sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            received = self._recv_in_time(*arguments)
        except TimeoutError:
            if self._in_header:
                return b""
            raise
        if received and self._is_between_requests:
            self._is_between_requests = False
            self._end = time.monotonic() + self._patience.header_s
        return received

    def sendall(self, data: Any, flags: int = 0) -> Any:
        """Send all of it; the head of an answer whose length is known waits for its body, to go out together.

        gunicorn writes the two one after the other. Sent alone, the head costs as much as both.
        """
        if self._head_is_due:
            self._head_is_due = False
            if OF_KNOWN_LENGTH in data:
                self._head = data
                return
        if self._head:
            data, self._head = self._head + data, b""
        super().sendall(data, flags)

    def end_answer(self) -> None:
        """Send the head of an answer that has no body."""
        self._head_is_due = False
        if self._head:
            self.sendall(b"")

    def _recv_in_time(self, *arguments: int) -> bytes:
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the request did not come in time")
        self.settimeout(left_s if self._in_header else min(left_s, self._patience.silence_s))
        try:
            received: bytes = super().recv(*arguments)
            return received
        finally:
            self.settimeout(self._patience.silence_s)


class HangUps:
    """Notices within moments which clients hung up, also those that have sent more than was read.

    A client that only closes its sending side counts as gone too: nothing tells the two apart. Only Linux can say it
    without reading; elsewhere nobody is missed until something is written to them.
    """

    def __init__(self) -> None:
        self._epoll: Any = gevent.monkey.get_original("select", "epoll")() if sys.platform == "linux" else None
        self._present: dict[int, Presence] = {}
        self.loop = Loop("hang-ups", self._look)

    def connections(self) -> int:
        """How many are watched."""
        return len(self._present)

    def watch(self, connection: Connection) -> None:
        if self._epoll is not None:
            self._present[connection.fileno()] = connection.presence
            self._epoll.register(connection.fileno(), EPOLLRDHUP | EPOLLET)

    def forget(self, connection: Connection) -> None:
        """Look at this connection no more. Call it before the connection is closed."""
        if self._present.pop(connection.fileno(), None) is not None:
            self._epoll.unregister(connection.fileno())

    def _look(self) -> None:
        if self._epoll is None:
            gevent.sleep(WATCH_S)
            return
        with suppress(TimeoutError):
            gevent.socket.wait_read(self._epoll.fileno(), WATCH_S)
        for number, _ in self._epoll.poll(0):
            if (presence := self._present.get(number)) is not None:
                presence.leave()
