"""What Redis's durability costs: the same path with its file flushed always, every second, or when it suits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.load import batches, closed_loop
from benchmarks.texts import short
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

POLICIES = ("always", "everysec", "no")
WAYS = {1: (64, 1500), 16: (16, 8000)}
"""Texts of a request: connections, texts of a round."""
ROUNDS = 5


def measure(models: Path) -> dict[str, float]:
    """Throughput of each policy over that of "no", with a model that takes next to no time."""
    write_tiny_artifact(models)
    rates: dict[tuple[int, str], list[float]] = {(size, policy): [] for size in WAYS for policy in POLICIES}
    with ExitStack() as stack:
        services = {policy: stack.enter_context(_service(models, policy)) for policy in POLICIES}
        for _ in range(1 + ROUNDS):
            for (size, policy), found in rates.items():
                connections, texts = WAYS[size]
                outcome = closed_loop(services[policy].url, batches(short(texts), size), connections)
                found.append(outcome.texts_per_s())
    medians = {key: median(found[1:]) for key, found in rates.items()}  # the first round warms up
    figures = {f"texts_per_s_{policy}_{size}": rate for (size, policy), rate in medians.items()}
    for size in WAYS:
        for policy in ("always", "everysec"):
            figures[f"{policy}_over_no_{size}"] = medians[size, policy] / medians[size, "no"]
    return figures


@contextmanager
def _service(models: Path, policy: str) -> Iterator[RunningService]:
    with (
        TemporaryDirectory(prefix="retort-redis-") as folder,
        RedisServer(Path(folder), "--appendonly", "yes", "--appendfsync", policy) as redis,
        RunningService(models, redis=redis, backlog_s=1e9, result_ttl_s=60, device="cpu") as service,
    ):
        yield service
