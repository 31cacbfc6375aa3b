"""Every metric that the API, a worker and a notifier expose, with its labels, asked of the code that exposes it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import pynvml
from prometheus_client import PROCESS_COLLECTOR, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

import api.views.request_metrics
import notifier.metrics
import worker.metrics
from api.jobs.fleet_cache import DrainRate
from api.views.service_state import ServiceCollector
from contract.fleet import WorkerState, WorkerStatus
from contract.job_record import Backlog
from contract.model_store import ModelStore
from tests.stand_ins import as_any
from worker.engine.device import Claim, Gpu
from worker.engine.device_use import DeviceUse

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
Families = dict[str, tuple[str, frozenset[str]]]
"""Type and labels of each metric by its name, without a suffix."""


def families() -> Families:
    """What /metrics of the API, of a worker on a GPU and of a notifier declare."""
    declared = {**_declared(api.views.request_metrics), **_declared(worker.metrics), **_declared(notifier.metrics)}
    with tempfile.TemporaryDirectory() as folder:
        return declared | _of_samples(_service_state(Path(folder))) | _of_samples(_device())


def sample_labels() -> dict[str, frozenset[str]]:
    """The labels of each sample by its full name, those that Prometheus adds and the process's own included."""
    found = {"up": frozenset[str]()}
    for name, (kind, labels) in (families() | _of_samples(PROCESS_COLLECTOR.collect())).items():
        for suffix in SUFFIXES[kind]:
            found[name + suffix] = labels | ({"le"} if suffix == "_bucket" else set())
    return {name: labels | {"job", "instance"} for name, labels in found.items()}


def _declared(module: ModuleType) -> Families:
    found: Families = {}
    for metric in vars(module).values():
        if isinstance(metric, Counter | Gauge | Histogram):
            [described] = metric.describe()
            found[described.name] = (described.type, frozenset(metric._labelnames))
    return found


def _of_samples(collected: Iterable[Metric]) -> Families:
    return {one.name: (one.type, frozenset(one.samples[0].labels)) for one in collected}


def _service_state(models: Path) -> Iterator[Metric]:
    status = WorkerStatus(id="w", host="h", pid=1, state=WorkerState.READY, device="cpu", model="m")
    jobs = SimpleNamespace(
        totals=dict,
        open_jobs=lambda: 0,
        dead_letters=lambda: 0,
        memory=lambda: (0, 0),
        now_ms=lambda: 0,
        oldest_queued_ms=lambda _: None,
        backlog=lambda *_: Backlog(),
    )
    fleet = SimpleNamespace(workers=[status], models={"m"}, rate=lambda _: DrainRate(1, 1))
    services = SimpleNamespace(
        jobs=jobs,
        fleet=fleet,
        webhooks=SimpleNamespace(count_owed=lambda: 0, count_dead=lambda: 0),
        store_watch=SimpleNamespace(complaint=None),
        models=ModelStore(models),
        settings=SimpleNamespace(default_model="m"),
    )
    return ServiceCollector(as_any(services)).collect()


def _device() -> Iterable[Metric]:
    whole, rates = SimpleNamespace(total=1, used=1), SimpleNamespace(gpu=1)
    with (
        tempfile.TemporaryFile("w") as lock,
        patch.multiple(
            pynvml,
            nvmlInit=lambda: None,
            nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
            nvmlDeviceGetMemoryInfo=lambda _: whole,
            nvmlDeviceGetUtilizationRates=lambda _: rates,
        ),
    ):
        collector: Collector = DeviceUse(Claim("", Gpu("GPU-1", ""), lock), lambda: 0.0, lambda: 0)
        return list(collector.collect())
