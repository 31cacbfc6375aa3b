"""One JSON line a request: who, what, how long. Never the texts, unless a setting says so."""

from __future__ import annotations

import logging
import re
import secrets
import time

from flask import Flask, Response, g, request

log = logging.getLogger("retort.request")

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def install(app: Flask) -> None:
    """Give each request an id, and log it once its answer is sent."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _SANE.fullmatch(given) else secrets.token_hex(8)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        line, started = _line(response), g.started

        def write() -> None:
            line["ms"] = round((time.perf_counter() - started) * 1000, 1)
            log.info("request", extra=line)

        response.direct_passthrough = False  # of a file that is passed through, nobody is told the end
        response.call_on_close(write)
        return response


def _line(response: Response) -> dict[str, object]:
    return {
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "agent": request.headers.get("User-Agent", "")[:200],
        "caller": g.get("key", ""),
        "request": g.request_id,
        **g.get("log", {}),
    }
