"""A steady load for a long time: memory has to stay flat, and Redis has to be empty in the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from threading import Thread
from typing import Any

from benchmarks.load import batches, closed_loop, open_loop
from benchmarks.texts import short
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

SHARE = 0.8
SAMPLE_S = 5.0
RESULT_TTL_S = 30
CONNECTIONS = 64
KEPT = {
    "retort:totals", "retort:id-key", "retort:workers", "retort:write-check", "retort:backlog:tiny",
    "retort:sweeper:tiny", "retort:served", "retort:jobs:",
}  # fmt: skip
"""What stays in an idle Redis, whatever has gone through it; and a key for each worker's last words. The list of a
caller's latest jobs is bounded, and lasts as long as the deadline of the last one allowed."""


def measure(minutes: float) -> tuple[dict[str, float], dict[str, Any]]:
    """Growth of each process in the second half of the time, and the keys that are left."""
    with tempfile.TemporaryDirectory(prefix="retort-soak-") as folder:
        models = Path(folder)
        write_tiny_artifact(models)
        with RunningService(models, "tiny", device="cpu", result_ttl_s=RESULT_TTL_S, backlog_s=1e9) as service:
            texts = short(5000)
            closed_loop(service.url, batches(texts, 1), CONNECTIONS)
            rate = SHARE * closed_loop(service.url, batches(texts, 1), CONNECTIONS).texts_per_s()
            samples, errors = _loaded(service, texts, rate, 60 * minutes)
            time.sleep(RESULT_TTL_S + 10)
            left = _keys_left(service)
    growth = {name: round(_growth(values), 2) for name, values in samples.items()}
    figures = {"soak_minutes": minutes, "soak_requests_per_s": rate, "soak_errors": errors, "soak_keys_left": len(left)}
    return figures | {"soak_growth_mb": max(growth.values())}, {"growth_mb": growth, "left": left, "rss_mb": samples}


def _loaded(
    service: RunningService, texts: Sequence[str], rate: float, seconds: float
) -> tuple[dict[str, list[float]], int]:
    """Resident memory of each process in MB over time, and how many requests were not answered with 200."""
    outcomes = []
    load = Thread(target=lambda: outcomes.append(open_loop(service.url, texts, rate, seconds, CONNECTIONS)))
    load.start()
    samples: dict[str, list[float]] = {name: [] for name in service.processes}
    while load.is_alive():
        for name, process in service.processes.items():
            samples[name].append(round(process.resident_mb(), 1))
        load.join(SAMPLE_S)
    return samples, sum(answer.status != 200 for answer in outcomes[0].answers)


def _growth(values: Sequence[float]) -> float:
    """MB from the third to the fourth quarter of the time: before that, caches fill."""
    quarter = max(1, len(values) // 4)
    return mean(values[-quarter:]) - mean(values[-2 * quarter : -quarter])


def _keys_left(service: RunningService) -> list[str]:
    keys = {str(key) for key in service.client.keys("*")}
    return sorted(key for key in keys - KEPT if not key.startswith(("retort:worker:", "_kombu.binding")))
