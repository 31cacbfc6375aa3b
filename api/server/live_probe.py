"""Liveness on a thread of the system's own: whatever thousands of greenlets do, it waits behind none of them.

To be imported once gevent has patched the standard library; what is used here is the library as it was before.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
import gevent.socket
from gevent.monkey import get_original

LIVE = re.compile(rb"GET /health/live HTTP/1\.[01]\r\n(?:[^\r\n]+\r\n)*\r\n")
MOST_BYTES = 8192
"""Of a request that is read here."""
POLL_MS = 1000
OUT_OF_FILES_S = 0.1


class LiveProbe:
    """Serves the address for probes: answers `GET /health/live` itself and hands every other connection on.

    That it answers while the greenlets hang is no lie for long: gunicorn kills a process whose greenlets have not moved
    for its `timeout`.
    """

    def __init__(
        self, listener: Any, *, answer: Callable[[], tuple[str, int]], hand_on: Callable[[Any, Any], object]
    ) -> None:
        """`answer` gives a JSON body and its status, without a switch of greenlets. `hand_on` takes a connection and
        its address, in the hub, and must not wait."""
        socket, poll = get_original("socket", "socket"), get_original("select", "poll")
        self._listener = socket(fileno=listener.dup().detach())
        self._listener.setblocking(False)
        self._answer = answer
        self._poll = poll()
        self._poll.register(self._listener, 1)
        self._clients: dict[int, tuple[Any, Any, float]] = {}
        """Connections of which nothing has come, with their address and the time until when this waits for it."""
        self._others: deque[tuple[int, Any]] = deque()
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self._hand_all_on, hand_on)

    def start(self) -> None:
        get_original("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        while True:
            ready = [number for number, _ in self._poll.poll(POLL_MS)]
            # One that says nothing is no probe: how long it may do so is known to who serves everybody else.
            silent = [number for number, (*_, end_s) in self._clients.items() if end_s < time.monotonic()]
            for number in dict.fromkeys([*ready, *silent]):
                if number == self._listener.fileno():
                    self._accept()
                else:
                    self._serve(number)

    def _accept(self) -> None:
        try:
            client, address = self._listener.accept()
        except BlockingIOError:  # another process of the API took it
            return
        except OSError:
            get_original("time", "sleep")(OUT_OF_FILES_S)
            return
        client.setblocking(False)
        self._clients[client.fileno()] = (client, address, time.monotonic() + POLL_MS / 1000)
        self._poll.register(client, 1)

    def _serve(self, number: int) -> None:
        """Answer the probe that has come, or leave the connection, with all that it has sent, to the greenlets."""
        self._poll.unregister(number)
        client, address, _ = self._clients.pop(number)
        try:
            is_probe = LIVE.fullmatch(client.recv(MOST_BYTES, gevent.socket.MSG_PEEK))
        except OSError:
            is_probe = None
        if is_probe is None:
            self._others.append((client.detach(), address))
            self._wake.send()
            return
        with client, suppress(OSError):
            client.recv(MOST_BYTES)
            client.sendall(_http(*self._answer()))

    def _hand_all_on(self, hand_on: Callable[[Any, Any], object]) -> None:
        while self._others:
            number, address = self._others.popleft()
            hand_on(gevent.socket.socket(fileno=number), address)


def _http(body: str, status: int) -> bytes:
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Cache-Control: no-store\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    )
    return (head + body).encode()
