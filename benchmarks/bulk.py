"""Short questions beside a job of 20,000 texts, and how soon the device is free once such a job is cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import httpx

from benchmarks.latency import percentile
from benchmarks.load import open_loop
from harness.running_service import RunningService

TEXTS = 20_000
RATE = 5.0
SECONDS = 40.0
CONNECTIONS = 64
SILENCE_S = 2.0
"""A device that has begun no batch for so long is free; a batch takes a tenth of that."""


@dataclass(frozen=True)
class Bulk:
    """What a big job costs the others, and what it costs to be rid of it."""

    accepted_s: float
    """From the request with its 20,000 texts to the answer that they are accepted."""
    idle_p50_s: float
    idle_p95_s: float
    beside_p50_s: float
    beside_p95_s: float
    """Single texts, five a second, at an idle service and beside the job while its results are streamed."""
    lines: int
    """Results that the stream had brought by then."""
    api_growth_mb: float
    """Most memory that the API held, over what it held before."""
    batches_after_cancel: int
    """Run from the moment at which the cancel was sent."""


def measure(service: RunningService, texts: Sequence[str]) -> Bulk:
    """On a service of one worker; `texts` are repeated until there are enough."""
    open_loop(service.url, texts, RATE, 5, CONNECTIONS)
    idle = open_loop(service.url, texts, RATE, SECONDS, CONNECTIONS).latencies_s()
    many = (list(texts) * (TEXTS // len(texts) + 1))[:TEXTS]
    before = service.api.resident_mb()
    with httpx.Client(base_url=service.url, timeout=60) as client, ThreadPoolExecutor(1) as pool:
        asked = time.perf_counter()
        accepted = client.post("/predict", json={"texts": many}, headers={"Prefer": "respond-async"})
        accepted_s = time.perf_counter() - asked
        job = accepted.raise_for_status().headers["Location"]
        enough = Event()
        reading: Future[tuple[int, float]] = pool.submit(_read, service, job, enough)
        beside = open_loop(service.url, texts, RATE, SECONDS, CONNECTIONS).latencies_s()
        enough.set()
        lines, most = reading.result()
        batches = _batches(service)
        client.delete(job).raise_for_status()
        after = _batches_when_free(service) - batches
    return Bulk(
        accepted_s=accepted_s,
        idle_p50_s=percentile(idle, 0.5),
        idle_p95_s=percentile(idle, 0.95),
        beside_p50_s=percentile(beside, 0.5),
        beside_p95_s=percentile(beside, 0.95),
        lines=lines,
        api_growth_mb=most - before,
        batches_after_cancel=after,
    )


def _read(service: RunningService, job: str, enough: Event) -> tuple[int, float]:
    """Lines of the job's results until there are enough, and the most memory that the API held, in MB."""
    lines, most = 0, 0.0
    headers = {"Accept": "application/x-ndjson"}
    with httpx.stream("GET", f"{service.url}{job}/results", headers=headers, timeout=60) as stream:
        for part in stream.iter_bytes():
            lines += part.count(b"\n")
            most = max(most, service.api.resident_mb())
            if enough.is_set():
                break
    return lines, most


def _batches(service: RunningService) -> int:
    return int(service.metric("retort_batch_seconds_count"))


def _batches_when_free(service: RunningService) -> int:
    count, since = _batches(service), time.monotonic()
    while time.monotonic() - since < SILENCE_S:
        time.sleep(0.1)
        if (now := _batches(service)) != count:
            count, since = now, time.monotonic()
    return count
