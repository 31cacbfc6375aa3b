"""The real API behind a real socket, with accidents on order."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from threading import Thread
from typing import Any, NoReturn

from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app


class Cut(Enum):
    """When the connection is cut."""

    BEFORE = "before the application has seen the request"
    AFTER = "after the application has answered, before the answer is sent"


@dataclass(frozen=True)
class Refusal:
    """An answer that the application knows nothing of, as a proxy would give it."""

    status: str
    headers: Mapping[str, str] = field(default_factory=dict)


class FaultyServer:
    """Serves an application on a free port; the next requests meet the `accidents`, one each."""

    def __init__(self, app: Flask) -> None:
        self.accidents: deque[Cut | Refusal | None] = deque()
        self.requests: list[str] = []
        """Method and path of each request, accidents included."""
        self.headers: list[Mapping[str, str]] = []
        self.app = app
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> FaultyServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.requests.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        self.headers.append({name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")})
        match self.accidents.popleft() if self.accidents else None:
            case Refusal(status, headers):
                start_response(status, [*headers.items(), ("Content-Type", "text/html")])
                return [b"<html>from a proxy</html>"]
            case Cut.BEFORE:
                _cut(environ)
            case Cut.AFTER:
                run_wsgi_app(self.app, environ, buffered=True)
                _cut(environ)
        return self.app.wsgi_app(environ, start_response)


def _cut(environ: dict[str, Any]) -> NoReturn:
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError
