"""What Prometheus reads: the requests of all processes of this API, with how the whole service stands."""

from __future__ import annotations

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY

from api.context import AppContext
from api.views.service_state import ServiceCollector
from contract.unreadable import Unreadable

REQUESTS = Counter("retort_http_requests", "Requests answered", ["address", "method", "status"])
SECONDS = Histogram(
    "retort_http_request_seconds",
    "From the headers of the request to the end of the answer, waiting for the job included",
    ["address"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TEXTS = Counter("retort_http_texts", "Texts of requests to predict, refused ones included")
UNREADABLE = Counter("retort_api_unreadable", "What Redis held and the API can not read, skipped", ["kind"])
METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"})
"""What clients invent does not become a label."""
IN_FLIGHT = Gauge("retort_http_requests_in_flight", "Requests not yet answered", multiprocess_mode="livesum")


def install(app: Flask) -> None:
    """Count every request."""

    @app.before_request
    def begin() -> None:
        IN_FLIGHT.inc()
        g.in_flight = True

    @app.after_request
    def end(response: Response) -> Response:
        address = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in METHODS else "other"
        started = g.started
        texts = g.get("log", {}).get("texts", 0)

        def count() -> None:
            IN_FLIGHT.dec()
            REQUESTS.labels(address, method, response.status_code).inc()
            SECONDS.labels(address).observe(time.perf_counter() - started)
            TEXTS.inc(texts)

        response.call_on_close(count)
        return response


def unreadable() -> Unreadable:
    """Count what the readers of this process skip, by its kind."""
    return Unreadable(lambda kind: UNREADABLE.labels(kind).inc())


def exposition(context: AppContext) -> bytes:
    """Everything in Prometheus's text format."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(ServiceCollector(context))
    return generate_latest(registry)
