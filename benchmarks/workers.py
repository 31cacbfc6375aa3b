"""One CPU worker against two, each on one core: `python -m benchmarks.workers` prints a table; see docs/scaling.md.

Both services live side by side and take turns. Redis, the API and the load generator have no cores of their own, so on
two cores they take theirs from the workers.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks import artifacts, texts
from benchmarks.latency import percentile
from benchmarks.load import batches, closed_loop, open_loop
from harness.running_service import RunningService
from harness.until import until

FLEETS = (1, 2)
ROUNDS = 5
BATCH, BATCH_CONNECTIONS = 16, 16
BULK_TEXTS = 5_000
RATE, SECONDS, CONNECTIONS = 5.0, 10.0, 64


@dataclass
class Measured:
    """What one fleet did, over all rounds."""

    texts_per_s: list[float] = field(default_factory=list)
    idle_s: list[float] = field(default_factory=list)
    """Latencies of single texts, five a second, with nothing else to do."""
    beside_s: list[float] = field(default_factory=list)
    """The same beside a bulk job."""


def measure(models: Path) -> dict[int, Measured]:
    """Rounds of throughput and of latencies, every fleet by turns."""
    artifacts.write(models, "minilm")
    mixed = texts.mixed(2048)
    measured = {size: Measured() for size in FLEETS}
    with ExitStack() as stack:
        services = {
            size: stack.enter_context(RunningService(models, "minilm", workers=size, cpu_threads=1, answer_cache_mb=0))
            for size in FLEETS
        }
        for size, service in services.items():
            _await_all(service, size)
            closed_loop(service.url, batches(mixed[:256], BATCH), BATCH_CONNECTIONS)
        for _ in range(ROUNDS):
            for size, service in services.items():
                _round(service, mixed, measured[size])
    return measured


def _await_all(service: RunningService, workers: int) -> None:
    until(lambda: all(service.metric("retort_ready", worker) for worker in range(workers)), what="all workers")


def _round(service: RunningService, mixed: Sequence[str], found: Measured) -> None:
    found.texts_per_s.append(closed_loop(service.url, batches(mixed[:1024], BATCH), BATCH_CONNECTIONS).texts_per_s())
    found.idle_s += open_loop(service.url, mixed, RATE, SECONDS, CONNECTIONS).latencies_s()
    bulk = (list(mixed) * (BULK_TEXTS // len(mixed) + 1))[:BULK_TEXTS]
    accepted = httpx.post(f"{service.url}/predict", json={"texts": bulk}, headers={"Prefer": "respond-async"})
    job = f"{service.url}{accepted.raise_for_status().headers['Location']}"
    found.beside_s += open_loop(service.url, mixed, RATE, SECONDS, CONNECTIONS).latencies_s()
    progress = httpx.get(job).json()["progress"]
    if progress["done"] == progress["texts"]:
        raise RuntimeError(f"the bulk job of {BULK_TEXTS} texts ended before the latencies beside it were measured")
    httpx.delete(job).raise_for_status()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="retort-models-") as folder:
        measured = measure(Path(folder))
    print("| workers | texts/s | over one worker | idle: p50, p95 | beside a bulk job: p50, p95 |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for size, found in measured.items():
        ratios = [mine / one for mine, one in zip(found.texts_per_s, measured[1].texts_per_s, strict=True)]
        idle, beside = (_milliseconds(sorted(latencies)) for latencies in (found.idle_s, found.beside_s))
        rate = statistics.median(found.texts_per_s)
        print(f"| {size} | {rate:.0f} | {statistics.median(ratios):.2f} | {idle} | {beside} |")


def _milliseconds(ordered: Sequence[float]) -> str:
    return f"{1000 * percentile(ordered, 0.5):.0f}, {1000 * percentile(ordered, 0.95):.0f} ms"


if __name__ == "__main__":
    main()
