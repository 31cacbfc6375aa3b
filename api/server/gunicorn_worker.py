"""gunicorn's gevent worker, with three changes.

Requests that break HTTP itself are answered with problems instead of HTML; clients that fall silent in the middle are
given up; and connections on which nothing happens do not delay its end.
"""

from __future__ import annotations

import secrets
import socket
from http import HTTPStatus
from typing import Any, Self

import gevent
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from api.settings import ApiSettings

_KINDS = {
    LimitRequestLine: "uri-too-long",
    LimitRequestHeaders: "headers-too-large",
    UnsupportedTransferCoding: "not-implemented",
}


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves each connection in a greenlet."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle: set[Idle] = set()
        self._silence_s = ApiSettings.load().api_silence_s

    def timeout_ctx(self) -> Idle:
        """The time between two requests of a connection."""
        return Idle(self.cfg.keepalive if self.alive else 0, self._idle)

    def handle_request(self, listener_name: Any, req: Any, sock: socket.socket, addr: Any) -> Any:
        """Waiting for a job touches no socket, so that this bounds nothing but silence."""
        sock.settimeout(self._silence_s)
        return super().handle_request(listener_name, req, sock, addr)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: finish the requests that run, and hang up where none does."""
        super().handle_exit(sig, frame)
        gevent.spawn(self._hang_up)

    def _hang_up(self) -> None:
        for idle in tuple(self._idle):
            gevent.kill(idle.greenlet, idle)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer a request that never reached the application, or that it failed to answer."""
        request_id = secrets.token_hex(8)
        if isinstance(exc, ParseException):
            kind = next((kind for error, kind in _KINDS.items() if isinstance(exc, error)), "bad-request")
            detail = str(exc)
            self.log.info("malformed request %s from %s: %s", request_id, addr, exc)
        else:
            kind, detail = "internal-error", f"the cause is in the service's log, under request {request_id}"
            self.log.error("request %s failed: %s", request_id, getattr(req, "uri", ""), exc_info=exc)
        try:
            client.sendall(_http(kind, detail, request_id))
        except OSError:
            self.log.debug("the client of request %s is gone", request_id)


class Idle(gevent.Timeout):
    """A connection that waits for its next request; ends silently, by time or by `gevent.kill` with itself."""

    def __init__(self, seconds: float, all_idle: set[Idle]) -> None:
        super().__init__(seconds, False)  # type: ignore[arg-type]
        self.greenlet = gevent.getcurrent()
        self._all = all_idle

    def __enter__(self) -> Self:
        self._all.add(self)
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> Any:
        self._all.discard(self)
        return super().__exit__(*raised)


def _http(kind: str, detail: str, request_id: str) -> bytes:
    # Imported late, for this module is loaded before the standard library is patched.
    from api.http.problems import KINDS, MEDIA_TYPE, Problem, as_json

    body = as_json(Problem(kind, detail), request_id)
    status = HTTPStatus(KINDS[kind].status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
