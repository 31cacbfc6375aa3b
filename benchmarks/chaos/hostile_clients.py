"""Thousands of clients that hold, drop and break connections, beside a few honest ones and the probes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self

from benchmarks.chaos.audit import blemishes, jobs_figures, percentile
from benchmarks.chaos.clients import Clients, Job
from benchmarks.chaos.parts import Found
from harness.direct_jobs import ROOMY
from harness.ports import free_port
from harness.process import ROOT
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

CONNECTIONS = 3000
SECONDS = 120
CALM_S = 30
HONEST = 8
PAUSE_S = 0.5
"""An honest client's mean pause."""
PROBE_EVERY_S = 0.2
SETTLED_S = 20.0
"""After the crowd has gone, until memory is looked at."""
SMALL = 16
"""Texts of the jobs whose latency is compared."""


def measure(seed: int, share: float) -> Found:
    """How probes and honest clients fare beside the crowd, compared with how they fare alone."""
    probes_port = free_port()
    with tempfile.TemporaryDirectory(prefix="retort-hostile-") as folder:
        models = Path(folder)
        write_tiny_artifact(models)
        probes = f"127.0.0.1:{probes_port}"
        with (
            RunningService(models, precision="float32", device="cpu", backlog_s=1e9, api_probes_bind=probes) as service,
            Clients(service.url, HONEST, seed, pause_s=PAUSE_S) as clients,
        ):
            return _measured(service, clients, probes_port, seed, share)


def _measured(service: RunningService, clients: Clients, probes_port: int, seed: int, share: float) -> Found:
    job = _endless_job(service)
    _crowd(service, job, CONNECTIONS // 10, CALM_S * share, seed)  # caches and the heap grow to what a crowd needs
    calm_start, before_mb = time.time(), service.api.resident_mb()
    time.sleep(CALM_S * share)
    begun = time.time()
    with Probe(probes_port) as probe, Probe(service.port) as public:
        made = _crowd(service, job, CONNECTIONS, SECONDS * share, seed)
    ended, peak_mb = time.time(), service.api.resident_mb()
    time.sleep(SETTLED_S)
    calm, beset = (_p95_s(clients.jobs, *span) for span in ((calm_start, begun), (begun, ended)))
    figures = {
        "hostile_connections_at_once": CONNECTIONS,
        "hostile_connections_made": sum(made.values()) - made.get("refused", 0),
        "hostile_live_p95_ms": 1000 * percentile(probe.seconds, 95),
        "hostile_live_failed": probe.failed,
        "hostile_public_live_p95_ms": 1000 * percentile(public.seconds, 95),
        "hostile_honest_p95_over_calm": beset / calm,
        "hostile_api_growth_mb": service.api.resident_mb() - before_mb,
    }
    notes = {
        "made": made, "honest_p95_s": {"calm": calm, "beset": beset}, "bad": blemishes(clients),
        "failures": clients.failures, "retries": clients.retries, "public_live_failed": public.failed,
        "api_mb": {"before": before_mb, "with the crowd": peak_mb},
    }  # fmt: skip
    return Found(figures | jobs_figures([clients]), [], notes)


class Probe:
    """Asks `/health/live` by a new connection every time, as Kubernetes does."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.failed = 0
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(PROBE_EVERY_S):
            begun = time.monotonic()
            self.failed += not self._is_live()
            self.seconds.append(time.monotonic() - begun)

    def _is_live(self) -> bool:
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)) as connection:
            try:
                connection.request("GET", "/health/live")
                return connection.getresponse().status == http.client.OK
            except OSError:
                return False


def _endless_job(service: RunningService) -> str:
    """The id of a job of a model that nobody serves."""
    job = replace(service.new_job(["text"] * 300, deadline_s=3600), model="nobody")
    service.jobs.submit([(job, ROOMY)])
    return job.id


def _crowd(service: RunningService, job: str, connections: int, seconds: float, seed: int) -> dict[str, int]:
    """Connections made by kind; returns when the crowd has gone."""
    asked = [str(argument) for argument in (service.port, job, connections, seconds, seed)]
    command = [sys.executable, "-m", "benchmarks.chaos.strangers", *asked]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=seconds + 60)
    found: dict[str, int] = json.loads(done.stdout)
    return found


def _p95_s(jobs: Sequence[Job], start: float, end: float) -> float:
    """Of the small jobs that were asked for in this time."""
    return percentile([job.answered - job.asked for job in jobs if start <= job.asked < end and job.texts <= SMALL], 95)
