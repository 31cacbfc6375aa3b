"""How the whole service stands, as metrics: backlog, jobs, workers, Redis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.context import AppContext
from api.views.model_documents import ModelDocuments
from contract.errors import StoreUnavailable
from contract.message import Lane


class ServiceCollector(Collector):
    """Collects the metrics of the whole service: afresh at every scrape, and equal from every process."""

    def __init__(self, context: AppContext) -> None:
        self._context = context
        self._models = ModelDocuments(context.models, context.fleet, context.settings.default_model)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("retort_store_up", "Whether Redis answers")
        writable = GaugeMetricFamily("retort_store_writable", "Whether Redis takes writes")
        writable.add_metric([], self._context.store_watch.complaint is None)
        try:
            yield from [*self._jobs(), *self._memory(), *self._backlog()]
            up.add_metric([], 1)
        except StoreUnavailable:
            up.add_metric([], 0)
        yield from (up, writable, self._workers())

    def _jobs(self) -> Iterator[Metric]:
        totals = self._context.jobs.totals()
        jobs = CounterMetricFamily("retort_jobs", "Jobs by what became of them", labels=["outcome"])
        for outcome in ("accepted", "refused", "succeeded", "failed", "cancelled", "expired"):
            jobs.add_metric([outcome], totals.get(outcome, 0))
        yield jobs
        yield CounterMetricFamily("retort_resent_chunks", "Chunks sent again", value=totals.get("resent", 0))
        yield CounterMetricFamily(
            "retort_late_commits", "Results that came too late", value=totals.get("late_commits", 0)
        )
        yield GaugeMetricFamily("retort_open_jobs", "Jobs that have not ended", self._context.jobs.open_jobs())
        dead = self._context.jobs.dead_letters()
        yield GaugeMetricFamily("retort_dead_letters", "Chunks that were given up", value=dead)
        yield from self._webhooks(totals)

    def _webhooks(self, totals: Mapping[str, int]) -> Iterator[Metric]:
        found = CounterMetricFamily("retort_webhooks", "Webhooks by what became of them", labels=["outcome"])
        for outcome in ("owed", "delivered", "tried_again", "dead", "disabled"):
            found.add_metric([outcome], totals.get(f"webhooks_{outcome}", 0))
        yield found
        owed, dead = self._context.webhooks.count_owed(), self._context.webhooks.count_dead()
        yield GaugeMetricFamily("retort_webhooks_waiting", "Webhooks that are not delivered yet", value=owed)
        yield GaugeMetricFamily("retort_dead_webhooks", "Webhooks that were given up", value=dead)

    def _memory(self) -> Iterator[Metric]:
        used, limit = self._context.jobs.memory()
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
        jobs = self._context.jobs
        now_ms = jobs.now_ms()
        for model in self._known():
            rate = self._context.fleet.rate(model).texts_per_s
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
        return sorted({self._context.settings.default_model, *self._models.names()})

    def _workers(self) -> Metric:
        found = GaugeMetricFamily("retort_workers", "Live workers", labels=["model", "version", "state"])
        counts: dict[tuple[str, str, str], int] = {}
        for worker in self._context.fleet.workers:
            for each in worker.models:
                labels = (each.model, each.version or "", each.state)
                counts[labels] = counts.get(labels, 0) + 1
        for key, number in counts.items():
            found.add_metric(key, number)
        return found
