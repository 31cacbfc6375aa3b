"""The primary of a group of Redis servers is killed, stopped and cut off under load, and Sentinels name another."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.chaos.audit import blemishes, jobs_figures, percentile, recoveries
from benchmarks.chaos.clients import Clients
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.parts import MODEL, SETTINGS, Found
from benchmarks.chaos.stack import Stack
from benchmarks.load import batches, closed_loop
from benchmarks.texts import short
from harness.network import Network, is_possible
from harness.redis_group import RedisGroup
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

SERVERS = 3
CLIENTS = 60
PAUSE_S = (2.0, 5.0)
COST_ROUNDS = 5
COST_TEXTS = 1500
Way = tuple[Callable[[RedisServer], object], Callable[[RedisServer], object]]
"""What is done to a server, and how it comes back."""


class Group(RedisGroup):
    """A group whose primary can be done away with in every way that this machine allows."""

    def __init__(self, folder: Path, network: Network | None) -> None:
        super().__init__(folder, replicas=SERVERS - 1, network=network)
        self._hosts = network

    def ways(self) -> dict[str, Way]:
        """What is done to the primary, and how it comes back, by what it is called."""
        ways: dict[str, Way] = {
            "primary SIGKILL": (lambda server: server.kill(), lambda server: server.start()),
            "primary SIGSTOP": (lambda server: server.pause(), lambda server: server.resume()),
        }
        if (hosts := self._hosts) is not None:
            ways["primary cut off"] = (
                lambda server: hosts.cut_off(self.servers.index(server)),
                lambda server: hosts.join(self.servers.index(server)),
            )
        return ways

    def fail_over(self, way: str) -> None:
        """Do away with the primary, wait for another, bring it back as a replica, and wait until it has caught up."""
        away, back = self.ways()[way]
        before = self.primary()
        away(before)
        self.await_failover(before)
        back(before)
        self.await_whole()


def measure(seed: int, failovers: int) -> Found:
    """Failovers with one replica that has everything; a few without, whose losses are counted; and what each costs."""
    found, outages_s = _under_load(seed, failovers, replicas=1)
    without, _ = _under_load(seed + 1, max(3, failovers // 5), replicas=0)
    figures = {
        **{name: value for name, value in found.figures.items() if name == "jobs_accepted"},
        "failovers": failovers,
        **{f"failover_{name}": found.figures[name] for name in ("jobs_lost", "jobs_wrong", "jobs_stuck")},
        "failover_outage_p50_s": median(outages_s),
        "failover_outage_p95_s": percentile(outages_s, 95),
        **_cost(),
    }
    notes = found.notes | {"outages_s": outages_s, "with_0_replicas": without.figures | without.notes}
    return Found(figures, found.rows, notes)


def _under_load(seed: int, failovers: int, *, replicas: int) -> tuple[Found, list[float]]:
    rng, done = random.Random(seed), list[Fault]()
    with ExitStack() as stack:
        models, group = _group(stack)
        settings = SETTINGS | {"redis_url": group.url, "redis_replicas": replicas}
        service = stack.enter_context(Stack(models, MODEL, workers=2, redis=group.servers[0], **settings))
        ways = list(group.ways())
        with Clients(service.url, CLIENTS, seed, pause_s=0.1) as clients:
            time.sleep(PAUSE_S[1])
            for number in range(failovers):
                way, at, in_flight = ways[number % len(ways)], time.time(), clients.in_flight()
                group.fail_over(way)
                done.append(Fault(way, at, time.time(), in_flight))
                time.sleep(rng.uniform(*PAUSE_S))
    rows = [asdict(recovery) for recovery in recoveries(done, clients.jobs)]
    notes = {"retries": clients.retries, "failures": clients.failures[:50], "bad": blemishes(clients)[:50]}
    admitted = sorted(job.created for job in clients.jobs)
    return Found(jobs_figures([clients]), rows, notes), [_outage_s(fault, admitted) for fault in done]


def _outage_s(fault: Fault, admitted: Sequence[float]) -> float:
    """The longest time without a new job that began about when the fault did."""
    gaps = (after - before for before, after in pairwise(admitted) if before < fault.over and after > fault.at)
    return max(gaps, default=0.0)


def _cost() -> dict[str, float]:
    """Texts a second with one replica and with two that have everything, over those with none, by turns."""
    with ExitStack() as stack:
        models, group = _group(stack)
        services = [
            stack.enter_context(
                RunningService(
                    models, MODEL, redis=group.servers[0], redis_url=f"{group.url}/{copies}", redis_replicas=copies,
                    backlog_s=1e9, device="cpu", answer_cache_mb=0,
                )
            )
            for copies in range(SERVERS)
        ]  # fmt: skip
        rates: list[list[float]] = [[] for _ in services]
        latencies: list[list[float]] = [[] for _ in services]
        for _ in range(1 + COST_ROUNDS):
            for service, rate, latency in zip(services, rates, latencies, strict=True):
                rate.append(closed_loop(service.url, batches(short(COST_TEXTS), 1), 32).texts_per_s())
                latency.append(median(closed_loop(service.url, batches(short(50), 1), 1).latencies_s()))
    none, *others = ([*rate[1:]] for rate in rates)  # the first round warms up
    idle = [1000 * median(latency[1:]) for latency in latencies]
    figures = {
        f"replicas_{copies}_over_0": median(one / zero for one, zero in zip(rate, none, strict=True))
        for copies, rate in enumerate(others, 1)
    }
    return figures | {f"replicas_{copies}_more_ms": idle[copies] - idle[0] for copies in range(1, SERVERS)}


def _group(stack: ExitStack) -> tuple[Path, Group]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="retort-failover-")))
    network = stack.enter_context(Network(SERVERS)) if is_possible() else None
    models = folder / "models"
    models.mkdir()
    write_tiny_artifact(models)
    return models, stack.enter_context(Group(folder, network))
