"""gunicorn's gevent worker, which answers requests that break HTTP itself with problems too, instead of HTML."""

from __future__ import annotations

import secrets
import socket
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import (  # type: ignore[import-untyped]
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

_KINDS = {
    LimitRequestLine: "uri-too-long",
    LimitRequestHeaders: "headers-too-large",
    UnsupportedTransferCoding: "not-implemented",
}


class Worker(GeventWorker):  # type: ignore[misc]
    """Serves requests in greenlets."""

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


def _http(kind: str, detail: str, request_id: str) -> bytes:
    # Imported late, for this module is loaded before the standard library is patched.
    from api.problems import KINDS, MEDIA_TYPE, Problem, as_json

    body = as_json(Problem(kind, detail), request_id)
    status = HTTPStatus(KINDS[kind].status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Type: {MEDIA_TYPE}\r\n"
        f"X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()
