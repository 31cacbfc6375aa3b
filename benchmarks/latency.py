"""Latency under open-loop load, what a lone request pays for the path, and what is left of the capacity in overload."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from benchmarks.arm import Arm
from benchmarks.load import Connection, Outcome, batches, closed_loop, open_loop
from harness.running_service import RunningService

SECONDS = 20.0
SHARES = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0)
CONNECTIONS = 2000
IDLE_REQUESTS = 200
GOOD_WITHIN_S = 10.0
"""An answer counts as good if it comes within the service's default wait."""


@dataclass(frozen=True)
class Point:
    """What one offered rate gave."""

    share: float
    """Offered rate over capacity."""
    offered: float
    good: float
    """Requests answered in time, a second."""
    p50_s: float
    p95_s: float
    p99_s: float
    refused: int
    """429s."""
    refused_p95_s: float
    """How quickly those came."""
    errors: int


def idle_overhead_ms(service: RunningService, bare: Arm, texts: Sequence[str]) -> float:
    """Median of one text at an idle service, minus the median of the same text through the bare engine, in ms."""
    served, alone = [], []
    with closing(Connection(service.url)) as connection:
        for text in texts[:IDLE_REQUESTS]:
            alone.append(bare.seconds([text]))
            served.append(connection.predict([text], time.perf_counter()).latency_s)
    return 1000 * (statistics.median(served) - statistics.median(alone))


def capacity(service: RunningService, texts: Sequence[str], connections: int = 64) -> float:
    """Single-text requests a second that the service answers in a closed loop."""
    return closed_loop(service.url, batches(texts, 1), connections).texts_per_s()


def sweep(service: RunningService, texts: Sequence[str], capacity: float, seconds: float = SECONDS) -> list[Point]:
    """Every share of the capacity in turn, Poisson arrivals of single texts."""
    points = []
    for share in SHARES:
        rate = share * capacity
        points.append(_point(share, rate, open_loop(service.url, texts, rate, seconds, CONNECTIONS)))
        _until_idle(service, texts)
    return points


def overload_goodput(points: Sequence[Point]) -> float:
    """Goodput at twice the capacity over the best goodput at any rate."""
    overloaded = next(point for point in points if point.share == max(SHARES))
    return overloaded.good / max(point.good for point in points)


def _point(share: float, rate: float, outcome: Outcome) -> Point:
    latencies = outcome.latencies_s()
    refusals = sorted(answer.latency_s for answer in outcome.answers if answer.status == 429)
    good = sum(latency <= GOOD_WITHIN_S for latency in latencies)
    return Point(
        share=share,
        offered=rate,
        good=good / outcome.wall_s,
        p50_s=percentile(latencies, 0.5),
        p95_s=percentile(latencies, 0.95),
        p99_s=percentile(latencies, 0.99),
        refused=len(refusals),
        refused_p95_s=percentile(refusals, 0.95),
        errors=len(outcome.answers) - len(latencies) - len(refusals),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank; 0 where there is nothing."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _until_idle(service: RunningService, texts: Sequence[str]) -> None:
    """Return when a lone request is quick again."""
    while closed_loop(service.url, [texts[:1]], 1).latencies_s()[0] > 0.5:
        time.sleep(0.2)
