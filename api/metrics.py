"""What Prometheus reads: requests of all processes of this API, and how the whole service stands, read from Redis."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from api.model_documents import ModelDocuments
from api.services import Services
from contract.errors import StoreUnavailable
from contract.message import Lane

REQUESTS = Counter("retort_http_requests", "Requests answered", ["address", "method", "status"])
SECONDS = Histogram(
    "retort_http_request_seconds",
    "From the first byte of the body to the last of the answer, waiting for the job included",
    ["address"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TEXTS = Counter("retort_http_texts", "Texts of requests to predict, refused ones included")
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


def exposition(services: Services) -> bytes:
    """Everything in Prometheus's text format."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(ServiceState(services))
    return generate_latest(registry)


class ServiceState(Collector):
    """Read afresh at every scrape, and the same from every process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._models = ModelDocuments(services.models, services.fleet, services.settings.model)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("retort_store_up", "Whether Redis answers")
        try:
            yield from [*self._jobs(), *self._memory(), *self._backlog()]
            up.add_metric([], 1)
        except StoreUnavailable:
            up.add_metric([], 0)
        yield up
        yield self._workers()

    def _jobs(self) -> Iterator[Metric]:
        totals = self._services.jobs.totals()
        jobs = CounterMetricFamily("retort_jobs", "Jobs by what became of them", labels=["outcome"])
        for outcome in ("accepted", "refused", "succeeded", "failed", "cancelled", "expired"):
            jobs.add_metric([outcome], totals.get(outcome, 0))
        yield jobs
        yield CounterMetricFamily("retort_resent_chunks", "Chunks sent again", value=totals.get("resent", 0))
        yield CounterMetricFamily(
            "retort_late_commits", "Results that came too late", value=totals.get("late_commits", 0)
        )
        yield GaugeMetricFamily("retort_open_jobs", "Jobs that have not ended", self._services.jobs.open_jobs())
        dead = self._services.jobs.dead_letters()
        yield GaugeMetricFamily("retort_dead_letters", "Chunks that were given up", value=dead)

    def _memory(self) -> Iterator[Metric]:
        used, limit = self._services.jobs.memory()
        yield GaugeMetricFamily("retort_store_used_bytes", "Memory that Redis uses", used)
        yield GaugeMetricFamily("retort_store_limit_bytes", "Memory that Redis may use, 0 for no limit", limit)

    def _backlog(self) -> Iterator[Metric]:
        texts = GaugeMetricFamily("retort_backlog_texts", "Texts that are not answered yet", labels=["model", "lane"])
        size = GaugeMetricFamily("retort_backlog_bytes", "Their bytes", labels=["model", "lane"])
        seconds = GaugeMetricFamily(
            "retort_backlog_seconds", "Until they are answered, at the measured rate", labels=["model", "lane"]
        )
        drain = GaugeMetricFamily(
            "retort_drain_texts_per_second", "What the ready workers get through while they are busy", labels=["model"]
        )
        oldest = GaugeMetricFamily("retort_oldest_queued_seconds", "Since the oldest was queued", labels=["model"])
        jobs = self._services.jobs
        now_ms = jobs.now_ms()
        for model in self._known():
            rate = self._services.fleet.rate(model).texts_per_s
            drain.add_metric([model], rate)
            for lane in Lane:
                backlog = jobs.backlog(model, lane)
                texts.add_metric([model, lane], backlog.texts)
                size.add_metric([model, lane], backlog.bytes)
                if rate > 0:
                    seconds.add_metric([model, lane], backlog.texts / rate)
            queued_ms = jobs.oldest_queued_ms(model)
            oldest.add_metric([model], 0 if queued_ms is None else max(now_ms - queued_ms, 0) / 1000)
        yield from (texts, size, seconds, drain, oldest)

    def _known(self) -> list[str]:
        return sorted({self._services.settings.model, *self._models.names()})

    def _workers(self) -> Metric:
        found = GaugeMetricFamily("retort_workers", "Live workers", labels=["model", "version", "state"])
        counts: dict[tuple[str, str, str], int] = {}
        for worker in self._services.fleet.workers:
            labels = (worker.model, worker.version or "", worker.state)
            counts[labels] = counts.get(labels, 0) + 1
        for key, number in counts.items():
            found.add_metric(key, number)
        return found
