"""The address for probes answers nothing else, so that nobody takes it for the service's own."""

from __future__ import annotations

from flask import Flask, request

from api.http.presence import SOCKET
from api.http.problems import Problem

PROBES = frozenset({"health", "inference_health", "metrics"})
"""Blueprints that probes and scrapers ask."""


def install(app: Flask) -> None:
    """Refuse what is no probe and came by the address for probes."""

    @app.before_request
    def refuse_others() -> None:
        by_probes_address = getattr(request.environ.get(SOCKET), "serves_probes", False)
        if by_probes_address and request.blueprint is not None and request.blueprint not in PROBES:
            raise Problem("not-found", "this address is for probes: /health/live, /health/ready and /metrics")
