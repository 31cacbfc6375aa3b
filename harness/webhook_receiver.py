"""A receiver of webhooks that behaves as it is told, and verifies what comes with the specification's own library."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET = "whsec_" + "c2VjcmV0IG9mIHRlc3RzLCBhbmQgb2YgdGVzdHMgb25seQ=="
Behaviour = Callable[["ReceivedWebhook", BaseHTTPRequestHandler], object]


@dataclass(frozen=True, kw_only=True)
class ReceivedWebhook:
    """A webhook whose signature is right."""

    id: str
    at_s: float
    """Unix seconds."""
    event: dict[str, Any]
    number: int
    """Counted from 0, over everything that came."""


def answering(status: int) -> Behaviour:
    """Answer with this status, and no more."""

    def answer(_: ReceivedWebhook, request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    connections = 0

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class WebhookReceiver:
    """Listens on a port of its own between entry and exit."""

    def __init__(self, behaviour: Behaviour | None = None, secret: str = SECRET) -> None:
        """`behaviour` answers each request; 204 without it."""
        self.behaviour = behaviour or answering(204)
        self.received: list[ReceivedWebhook] = []
        self.unverified = 0
        """Requests that were not signed with the secret."""
        self._lock = Lock()
        self._verifier = Webhook(secret)
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/hook"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def connections(self) -> int:
        """Connections that were ever made to it."""
        return self._server.connections

    def of(self, job_id: str) -> list[ReceivedWebhook]:
        """What came of one job."""
        return [each for each in list(self.received) if each.event["data"]["id"] == job_id]

    def _receive(self, request: BaseHTTPRequestHandler) -> None:
        at_s = time.time()
        body = request.rfile.read(int(request.headers["Content-Length"]))
        try:
            event = self._verifier.verify(body, dict(request.headers))
        except WebhookVerificationError:
            with self._lock:
                self.unverified += 1
            return
        with self._lock:
            number = len(self.received)
            received = ReceivedWebhook(id=request.headers["webhook-id"], at_s=at_s, event=event, number=number)
            self.received.append(received)
        self.behaviour(received, request)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receive = self._receive

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receive(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
