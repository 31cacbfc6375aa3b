"""Served over bare: throughput through HTTP, Redis, Celery and back, over the engine's own on the same texts.

The service and the bare engine live side by side and take turns, so that whatever else the machine does meets both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arm import Arm
from benchmarks.load import batches, closed_loop
from harness.running_service import RunningService

ROUNDS = 5


@dataclass(frozen=True)
class Asking:
    """One way of asking: so many texts a request, over so many connections, so many texts a round."""

    texts_per_request: int
    connections: int
    texts: int


@dataclass(frozen=True)
class Served:
    """What one way of asking measured; medians over the rounds."""

    asking: Asking
    served_over_bare: float
    bare_texts_per_s: float
    served_texts_per_s: float
    cpu_seconds: dict[str, float]
    """CPU time of each process over all rounds, for each second of the served rounds; `load` is the generator's."""


def measure(service: RunningService, bare: Arm, asking: Asking, texts: Sequence[str], rounds: int = ROUNDS) -> Served:
    """Rounds of the same texts, the bare engine and the service by turns."""
    texts = texts[: asking.texts]
    requests = batches(texts, asking.texts_per_request)
    bare_rates, served_rates, wall_s = [], [], 0.0
    used = dict.fromkeys([*service.processes, "load"], 0.0)
    closed_loop(service.url, requests[: asking.connections], asking.connections)
    bare.seconds(texts[:64])
    for _ in range(rounds):
        bare_rates.append(len(texts) / bare.seconds(texts))
        before = service.cpu_seconds() | {"load": time.process_time()}
        outcome = closed_loop(service.url, requests, asking.connections)
        after = service.cpu_seconds() | {"load": time.process_time()}
        if outcome.count(200) != len(requests):
            raise RuntimeError(f"{len(requests) - outcome.count(200)} of {len(requests)} requests were not answered")
        served_rates.append(outcome.texts_per_s())
        wall_s += outcome.wall_s
        used = {name: used[name] + after[name] - before[name] for name in used}
    ratios = [served / alone for served, alone in zip(served_rates, bare_rates, strict=True)]
    return Served(
        asking,
        statistics.median(ratios),
        statistics.median(bare_rates),
        statistics.median(served_rates),
        {name: seconds / wall_s for name, seconds in used.items()},
    )


def served_over_bare(
    models: Path, model: str, version: str, ways: Sequence[Asking], texts: Sequence[str]
) -> list[Served]:
    """Every way of asking, on one service of one worker."""
    with (
        Arm("benchmarks.engine", str(models / model / version), "auto") as bare,
        RunningService(models, model, backlog_s=1e9, answer_cache_mb=0) as service,
    ):
        return [measure(service, bare, asking, texts) for asking in ways]
