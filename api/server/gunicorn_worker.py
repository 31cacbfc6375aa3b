"""gunicorn's gevent worker, with six changes.

Requests that break HTTP itself are answered with problems instead of HTML; clients that are slow or fall silent in the
middle are given up, and those that hang up are noticed; newcomers begin one by one; connections on which nothing
happens do not delay its end; a short answer goes out in one piece; and the second address that it listens on is for
probes alone, of which liveness is answered by a thread of its own.
"""

from __future__ import annotations

import errno
import secrets
import socket
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import gevent
from gevent.pool import Pool
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from api.settings import ApiSettings

if TYPE_CHECKING:
    from api.server.connection import Connection

_KINDS = {
    LimitRequestLine: "uri-too-long",
    LimitRequestHeaders: "headers-too-large",
    UnsupportedTransferCoding: "not-implemented",
}


class HostMissing(ParseException):  # type: ignore[misc]
    def __str__(self) -> str:
        return "a request in HTTP/1.1 has a Host header (RFC 9112, 3.2)"


class ApiWorker(GeventWorker):  # type: ignore[misc]
    """Serves each connection in a greenlet."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._idle: set[Idle] = set()
        self._settings = ApiSettings.load()

    def run(self) -> None:
        # Imported late, for this module is loaded before the standard library is patched.
        from api.server.connection import Connection, HangUps, Patience
        from api.server.memory import MemoryReturn, collect_garbage_seldom
        from api.server.turnstile import Turnstile

        settings, hang_ups = self._settings, HangUps()
        patience = Patience(
            idle_s=self.cfg.keepalive,
            header_s=settings.api_header_s,
            body_s=settings.api_body_s,
            silence_s=settings.api_silence_s,
        )
        self._connect = partial(Connection, patience=patience, hang_ups=hang_ups)
        self._turnstile = Turnstile()
        for loop in (hang_ups.loop, self._turnstile.loop, MemoryReturn(hang_ups.connections).loop):
            loop.start()
            self.wsgi.extensions["retort"].server_loops.append(loop)
        for listener in self.sockets[1:]:
            self._serve_probes(listener)
        del self.sockets[1:]
        collect_garbage_seldom()
        super().run()

    def _serve_probes(self, listener: Any) -> None:
        from api.server.live_probe import LiveProbe
        from api.views.health import liveness

        greenlets = Pool(self.worker_connections)

        def serve(client: Any, address: Any) -> None:
            if greenlets.full():
                client.close()
            else:
                greenlets.spawn(self.handle, listener, client, address)

        LiveProbe(listener, answer=partial(liveness, self.wsgi.extensions["retort"]), hand_on=serve).start()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        connection = self._connect(client, serves_probes=listener is not self.sockets[0])
        _greenlet().connection = connection
        super().handle(listener, connection, addr)

    def timeout_ctx(self) -> Idle:
        """The time in which a connection waits for its next request."""
        connection: Connection = _greenlet().connection
        connection.await_request()
        return Idle(None if self.alive else 0, self._idle)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        names = [name for name, _ in req.headers]
        if req.version >= (1, 1) and "HOST" not in names:
            raise HostMissing
        announced = req._expected_100_continue
        if announced:
            # Whether its body follows an answer that came without it, nobody knows: the connection ends there.
            req._expected_100_continue = False
            req.force_close()
        if not sock.is_known:
            self._turnstile.enter()
        if sock.is_reset():
            raise ConnectionResetError(errno.ECONNRESET, "the client is gone")
        sock.await_body(announced=announced)
        try:
            answered = super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.end_answer()  # also before an error of the application is told, which gunicorn does next
        sock.is_known = True
        return answered

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

    def __init__(self, seconds: float | None, all_idle: set[Idle]) -> None:
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


def _greenlet() -> Any:
    """Of this connection: it has one of its own."""
    return gevent.getcurrent()


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
