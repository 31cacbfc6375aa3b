"""The parts of a run: each starts a service of its own, loads it, disturbs it, and says what came of it."""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos import faults, hostile_redis
from benchmarks.chaos.audit import blemishes, jobs_figures, percentile, recoveries
from benchmarks.chaos.clients import Clients, Job
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.stack import Stack
from contract.errors import StoreUnavailable
from contract.quarantine import Quarantine
from harness.artifact import point_current_to
from harness.tiny_artifact import write_tiny_artifact

MODEL = "tiny"
WORKERS = 3
CLIENTS = 300
SETTINGS: dict[str, Any] = {
    "precision": "float32", "device": "cpu", "cpu_threads": 1, "backlog_s": 1e9, "result_ttl_s": 300,
}  # fmt: skip
WARM_UP_S = 5.0
HOSTILE_CLIENTS = 24
LATE_S = 10.0


@dataclass
class Found:
    """What a part has found."""

    figures: dict[str, float]
    rows: list[dict[str, Any]] = field(default_factory=list)
    """For the table of faults."""
    notes: dict[str, Any] = field(default_factory=dict)


def worker_kills(seed: int, times: int) -> Found:
    """SIGKILLs of workers at random moments, one every three seconds on average."""
    found = _under_load(seed, [("worker SIGKILL", faults.kill_worker)] * times, pause_s=(1, 5))
    return _with(found, worker_kills=times, recovery_p95_s=found.rows[0]["recovery_p95_s"])


def redis_kills(seed: int, times: int) -> Found:
    """SIGKILLs of Redis at random moments, and restarts from its append-only file."""
    found = _under_load(seed, [("Redis SIGKILL, back after 0 to 1.5 s", faults.kill_redis)] * times, pause_s=(1, 6))
    return _with(found, redis_kills=times)


def other_faults(seed: int, share: float) -> Found:
    """Everything else, in random order; `share` of a full run."""
    acts = [(kind, act) for kind, (act, times) in faults.OTHERS.items() for _ in range(max(1, round(share * times)))]
    random.Random(seed).shuffle(acts)
    return _under_load(seed, acts, pause_s=(2, 5))


def hostile_redis_writes(seed: int, mutations: int) -> Found:
    """A stranger writes into Redis, some fifty times a second, while honest clients ask."""
    rng, done = random.Random(seed), Counter[str]()
    with _folder() as models:
        write_tiny_artifact(models)
        with Stack(models, MODEL, workers=WORKERS, **SETTINGS) as stack:
            with Clients(stack.url, HOSTILE_CLIENTS, seed, pause_s=0.2) as clients:
                time.sleep(WARM_UP_S)
                started = time.time()
                for _ in range(mutations):
                    done[hostile_redis.mutate(stack, rng)] += 1
                    time.sleep(rng.expovariate(50))
                time.sleep(2 * WARM_UP_S)
            ended = stack.ended_processes()
            noted = _noted(stack)
            last_lines = {name: stack.processes[name].last_lines() for name in ended if name in stack.processes}
    late = [job for job in clients.jobs if job.answered - job.asked > LATE_S]
    figures = {
        "hostile_mutations": done.total(), "hostile_processes_ended": len(ended), "hostile_jobs_late": len(late),
        "hostile_longest_s": max((_latency_s(job) for job in clients.jobs), default=0.0),
        "hostile_failed_requests": len(clients.failures),
    }  # fmt: skip
    late_s = [(round(job.asked - started, 1), round(_latency_s(job), 1)) for job in late]
    notes = {"kinds": dict(done), "late_s": late_s, "ended": ended, "last_lines": last_lines, "noted": noted,
             "failures": clients.failures[:50], "bad": blemishes(clients)[:50], "retries": clients.retries}  # fmt: skip
    return Found(figures | jobs_figures([clients]), [], notes)


def _noted(stack: Stack) -> int | None:
    """Entries of the quarantine; None while it is damaged itself, and no sweep has set it aside."""
    try:
        return len(Quarantine(stack.client, stack.settings).entries())
    except StoreUnavailable:
        return None


def swaps(seed: int, reloads: int, rollbacks: int) -> Found:
    """New versions, and rollbacks to the one before, under a moderate load, so that latency says something."""
    with _folder() as models:
        versions = [_version(number) for number in range(reloads + 1)]
        seeds = [number % 5 for number in range(len(versions))]
        for version, weights in zip(versions, seeds, strict=True):
            write_tiny_artifact(models, version=version, seed=weights, current=version == versions[0])
        with (
            Stack(models, MODEL, workers=2, **SETTINGS) as stack,
            Clients(stack.url, 24, seed, sorted(set(seeds)), pause_s=0.5) as clients,
        ):
            time.sleep(WARM_UP_S)
            calm = _calm_window(10)
            windows = [_swap(stack, version) for version in _path(versions, rollbacks, seed)]
    before = [job for job in clients.jobs if calm[0] <= job.asked < calm[1]]
    during = [job for job in clients.jobs if any(start <= job.asked < end for start, end in windows)]
    p99 = {name: percentile([_latency_s(job) for job in jobs], 99) for name, jobs in
           (("before", before), ("during", during))}  # fmt: skip
    bad = sum(job.verdict != "right" for job in clients.jobs) + len(clients.failures)
    figures = {"swap_failed_requests": bad, "swap_p99_over_p99": p99["during"] / p99["before"]}
    notes = {"reloads": reloads, "rollbacks": rollbacks, "requests_during": len(during), "p99_s": p99,
             "swap_median_s": percentile([end - start for start, end in windows], 50),
             "bad": blemishes(clients), "failures": clients.failures}  # fmt: skip
    return Found(figures | jobs_figures([clients]), [], notes)


def _under_load(seed: int, acts: Sequence[tuple[str, faults.Act]], pause_s: tuple[float, float]) -> Found:
    rng, done = random.Random(seed), list[Fault]()
    with _folder() as models:
        write_tiny_artifact(models)
        with Stack(models, MODEL, workers=WORKERS, **SETTINGS) as stack:
            with Clients(stack.url, CLIENTS, seed) as clients:
                time.sleep(WARM_UP_S)
                for kind, act in acts:
                    time.sleep(rng.uniform(*pause_s))
                    done.append(_do(kind, act, stack, clients, rng))
                time.sleep(WARM_UP_S)
            totals = stack.jobs.totals()
    rows = [asdict(recovery) for recovery in recoveries(done, clients.jobs)]
    notes = {"retries": clients.retries, "failures": clients.failures, "bad": blemishes(clients), "totals": totals,
             "texts": sum(job.texts for job in clients.jobs)}  # fmt: skip
    return Found(jobs_figures([clients]), rows, notes)


def _do(kind: str, act: faults.Act, stack: Stack, clients: Clients, rng: random.Random) -> Fault:
    at, in_flight = time.time(), clients.in_flight()
    act(stack, rng)
    return Fault(kind, at, time.time(), in_flight)


def _with(found: Found, **more: float) -> Found:
    found.figures |= more
    return found


def _swap(stack: Stack, version: str) -> tuple[float, float]:
    """From the moment at which CURRENT changes until every worker serves what it names."""
    time.sleep(1.0)
    start = time.time()
    point_current_to(stack.models, stack.settings.default_model, version)
    while {status.version for status in stack.statuses()} != {version}:
        time.sleep(0.05)
    return start, time.time()


def _path(versions: Sequence[str], rollbacks: int, seed: int) -> Iterator[str]:
    """Every version in turn; after some of them the one before it, as a rollback."""
    rolled = set(random.Random(seed).sample(range(1, len(versions)), min(rollbacks, len(versions) - 1)))
    for number in range(1, len(versions)):
        yield versions[number]
        if number in rolled:
            yield versions[number - 1]


def _calm_window(seconds: float) -> tuple[float, float]:
    start = time.time()
    time.sleep(seconds)
    return start, time.time()


def _latency_s(job: Job) -> float:
    return job.answered - job.asked


def _version(number: int) -> str:
    return f"2026{number:04d}t000000-000000"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="retort-chaos-") as name:
        yield Path(name)
