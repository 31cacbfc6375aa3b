"""What a fleet carries, and what is full first: the simulated service at 1, 10, 100 and 1,000 workers.

The costs of API, Redis and worker are those of the part `path` in results.json, where it was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.latency import percentile
from benchmarks.simulation import Costs, Device, Outcome, SimulatedService
from benchmarks.texts import MEDIAN, SHORTEST, SIGMA
from contract.message import Lane

GPU = Device(name="GPU, 30 ms for 16,384 tokens", batch_tokens=16_384, full_batch_s=0.030, least_batch_s=0.002)
CPU = Device(name="two CPU cores, 85 ms for 1,024 tokens", batch_tokens=1024, full_batch_s=0.085, least_batch_s=0.008)
FLEETS = (1, 10, 100, 1000)
SIZES = (1, 64)
API_PROCESSES = 1000
"""More than are ever busy: how many are is what is asked."""
MOST_CLIENTS = {1: 4000, 64: 1000}
"""By texts a request: enough to keep Redis busy, so that more of them would only wait."""
QUESTIONS, QUESTIONS_PER_S = 200, {GPU: 50.0, CPU: 5.0}
LONGEST = 256
FULL = 0.95
US_PER_TEXT = {
    1: {"api": 2250.0, "redis": 405.0, "worker-0": 925.0},
    64: {"api": 70.0, "redis": 20.0, "worker-0": 152.0},
}
"""Processor time on a shared AMD EPYC of which little was left; a quiet one needs about half of it."""
REDIS_PER_WORKER = 0.002
"""Share of Redis' time that a worker takes by being there: ten reads of empty queues a second, its heartbeat, its looks
for lost work. Redis took 0.003 for one and an idle API together on that machine; this is taken as the worker's part."""


@dataclass(frozen=True)
class Fleet:
    """What so many workers of a kind carry, when there is always more to do."""

    device: str
    texts_per_request: int
    workers: int
    texts_per_s: float
    devices_busy: float
    redis_busy: float
    api_processes: float
    """Of those busy all the time."""
    full: str
    """What there is too little of."""


@dataclass(frozen=True)
class Beside:
    """Single questions beside bulk requests on one worker."""

    device: str
    fill: float
    """Real tokens over those that the device could have computed in the time it was busy."""
    questions_p50_s: float
    questions_p95_s: float


def costs(parts: Mapping[str, Any], texts: int) -> Costs:
    """Of a request of so many texts, as measured, or as given here where it was not."""
    measured = {row["name"]: row["cpu_us_per_text"] for row in parts.get("path", {}).get("details", ())}
    us = measured.get(str(texts), US_PER_TEXT[texts])
    return Costs(
        api_s=texts * us["api"] / 1e6, redis_s=texts * us["redis"] / 1e6, worker_s=texts * us["worker-0"] / 1e6
    )


def fleets(parts: Mapping[str, Any], sizes: Iterable[int] = FLEETS) -> list[Fleet]:
    """Every kind of device, size of request and number of workers."""
    return [
        _fleet(device, texts, workers, costs(parts, texts))
        for device in (CPU, GPU)
        for texts in SIZES
        for workers in sizes
    ]


def _fleet(device: Device, texts: int, workers: int, each: Costs) -> Fleet:
    about: dict[str, Any] = {"device": device.name, "texts_per_request": texts, "workers": workers}
    if workers * REDIS_PER_WORKER >= 1:
        return Fleet(**about, texts_per_s=0, devices_busy=0, redis_busy=1, api_processes=0, full="Redis, by idle reads")
    clients = min(workers * (3 * device.batch_tokens // (texts * MEDIAN) + 2), MOST_CLIENTS[texts])
    # At first all clients send at once: the measured half of the time begins when Redis is through with them.
    seconds = max(device.full_batch_s * max(12, 200 // workers), 2 * clients * each.redis_s)
    found = _service(workers, device).run(clients=clients, texts=texts, costs=each, seconds=seconds)
    return Fleet(
        **about,
        texts_per_s=found.texts_per_s,
        devices_busy=found.devices_busy,
        redis_busy=found.redis_busy,
        api_processes=found.api_busy * API_PROCESSES,
        full=_full(found),
    )


def _full(found: Outcome) -> str:
    if found.redis_busy >= FULL:
        return "Redis"
    return "devices" if found.devices_busy >= FULL else "the workers' processors"


def beside(parts: Mapping[str, Any], device: Device) -> Beside:
    """Bulk requests of 64 texts without end, and single questions at random moments."""
    service = _service(1, device)
    found = service.run(
        clients=60,
        texts=64,
        costs=costs(parts, 64),
        seconds=QUESTIONS / QUESTIONS_PER_S[device],
        questions_per_s=QUESTIONS_PER_S[device],
        question_costs=costs(parts, 1),
    )
    latencies = found.latencies_s[Lane.INTERACTIVE]
    return Beside(
        device=device.name,
        fill=found.tokens / (found.device_s / device.full_batch_s * device.batch_tokens),
        questions_p50_s=percentile(latencies, 0.5),
        questions_p95_s=percentile(latencies, 0.95),
    )


def _service(workers: int, device: Device) -> SimulatedService:
    return SimulatedService(
        workers=workers,
        device=device,
        api_processes=API_PROCESSES,
        lengths=_lengths(),
        redis_per_worker=REDIS_PER_WORKER,
    )


def _lengths() -> Iterator[int]:
    """Tokens of one text after the other, distributed as in `benchmarks.texts.mixed`."""
    rng = np.random.default_rng(0)
    while True:
        lengths = MEDIAN * np.exp(SIGMA * rng.standard_normal(4096))
        yield from np.clip(np.round(lengths), SHORTEST, LONGEST).astype(int).tolist()
