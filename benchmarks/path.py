"""The way to the device and back: what it carries, what it costs, and how well it feeds a GPU that is only simulated.

The worker's device sleeps (benchmarks/simulated_worker.py); all else is the service's own, on the cores that the load
generator shares.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx

from benchmarks.latency import percentile
from benchmarks.load import batches, closed_loop, open_loop
from harness.ports import free_port
from harness.running_service import RunningService
from worker.engine.packing import GPU_TOKENS

ROUNDS = 5
BULK_TEXTS = 50_000
FULL_BATCH_S = 0.03
QUESTIONS_PER_S = 50.0
SECONDS = 10.0
CONNECTIONS = 64
MODEL = "minilm"


@dataclass(frozen=True)
class Way:
    """What one way of asking carried; medians over the rounds."""

    name: str
    texts_per_s: float
    requests_per_s: float
    cpu_us_per_text: dict[str, float]
    """CPU time of each process."""


@dataclass(frozen=True)
class Feed:
    """How a simulated GPU was fed."""

    name: str
    fill: float
    """Real tokens, over those that the device could have computed in the time it was busy."""
    busy: float
    """Share of the time in which it was busy."""
    tokens_per_batch: float
    interactive_p95_s: float | None
    """Of single questions beside it, where some were asked."""


@contextmanager
def simulated_service(models: Path, full_batch_s: float, **settings: Any) -> Iterator[RunningService]:
    """A service of one worker whose device sleeps for `full_batch_s` seconds for each full batch."""
    roomy = {"backlog_s": 1e9, "bulk_backlog_s": 1e9, "answer_cache_mb": 0}
    with RunningService(models, MODEL, workers=0, **(roomy | settings)) as service:
        command = [sys.executable, "-m", "benchmarks.simulated_worker", str(full_batch_s)]
        service.start_process("worker-0", command, metrics_port=free_port())
        service.await_ready()
        yield service


def carried(service: RunningService, short: Sequence[str], rounds: int = ROUNDS) -> list[Way]:
    """Requests of 64 texts, single texts, and one big job, by turns."""
    many = [f"{number} {short[number % len(short)]}" for number in range(BULK_TEXTS)]  # no two texts are equal
    ways: dict[str, tuple[int, int, Callable[[], object]]] = {
        "64": (16_000, 250, lambda: closed_loop(service.url, batches(many[:16_000], 64), 8)),
        "1": (3_000, 3_000, lambda: closed_loop(service.url, batches(many[:3_000], 1), CONNECTIONS)),
        "bulk": (BULK_TEXTS, 1, lambda: _run_job(service, many)),
    }
    found: dict[str, list[tuple[float, dict[str, float]]]] = {name: [] for name in ways}
    for number in range(1 + rounds):
        for name, (_, _, run) in ways.items():
            before, started = service.cpu_seconds(), time.perf_counter()
            run()
            wall_s, after = time.perf_counter() - started, service.cpu_seconds()
            if number:  # the first round only warms up
                found[name].append((wall_s, {each: after[each] - before[each] for each in after}))
    return [_way(name, texts, requests, found[name]) for name, (texts, requests, _) in ways.items()]


def _way(name: str, texts: int, requests: int, measured: Sequence[tuple[float, dict[str, float]]]) -> Way:
    wall_s = statistics.median(wall_s for wall_s, _ in measured)
    processes = measured[0][1]
    cpu_us = {each: 1e6 * statistics.median(used[each] for _, used in measured) / texts for each in processes}
    return Way(name, texts / wall_s, requests / wall_s, cpu_us)


def fed(service: RunningService, mixed: Sequence[str], short: Sequence[str], *, asked: bool) -> Feed:
    """Bulk jobs without end, and with `asked` single questions beside them."""
    with _endless_bulk(service, mixed):
        time.sleep(1)
        before, started = _counters(service), time.perf_counter()
        latencies = []
        if asked:
            latencies = open_loop(service.url, short, QUESTIONS_PER_S, SECONDS, CONNECTIONS).latencies_s()
        else:
            time.sleep(SECONDS)
        wall_s, after = time.perf_counter() - started, _counters(service)
    tokens, busy_s, count = (now - then for now, then in zip(after, before, strict=True))
    return Feed(
        name="mixed" if asked else "bulk",
        fill=tokens / (busy_s / FULL_BATCH_S * GPU_TOKENS),
        busy=busy_s / wall_s,
        tokens_per_batch=tokens / count,
        interactive_p95_s=percentile(latencies, 0.95) if asked else None,
    )


def _counters(service: RunningService) -> tuple[float, float, float]:
    """Real tokens, seconds with a batch on the device, and batches so far."""
    names = ("retort_batch_tokens_sum", "retort_device_busy_seconds_total", "retort_batch_tokens_count")
    tokens, busy_s, count = map(service.metric, names)
    return tokens, busy_s, count


@contextmanager
def _endless_bulk(service: RunningService, texts: Sequence[str]) -> Iterator[None]:
    """Two big jobs always wait or run, until the end."""
    stop = Event()

    def ask() -> None:
        while not stop.is_set():
            _run_job(service, texts, stop)

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def figures(ways: Sequence[Way], feeds: Sequence[Feed]) -> dict[str, float]:
    """What was measured, under the names of the benchmark page."""
    way = {each.name: each for each in ways}
    found = {
        "path_texts_per_s_64": way["64"].texts_per_s,
        "path_texts_per_s_bulk": way["bulk"].texts_per_s,
        "path_requests_per_s_1": way["1"].requests_per_s,
        "path_worker_us_per_text_64": way["64"].cpu_us_per_text["worker-0"],
    }
    for feed in feeds:
        found[f"simulated_gpu_fill_{feed.name}"] = feed.fill
        if feed.interactive_p95_s is not None:
            found["simulated_gpu_interactive_p95_ms"] = 1000 * feed.interactive_p95_s
    return found


def _run_job(service: RunningService, texts: Sequence[str], stop: Event | None = None) -> None:
    """Send one job and return when it has ended, or once `stop` is set."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        sent = client.post("/predict", json={"texts": list(texts)}, headers={"Prefer": "respond-async"})
        job = sent.raise_for_status().headers["Location"]
        while client.get(f"{job}?wait=0.2").json()["status"] in ("queued", "running"):
            if stop is not None and stop.is_set():
                client.delete(job)
                return
