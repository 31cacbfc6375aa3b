"""What is done to the service. Each fault returns when the service is whole again, but for what it has to make up."""

from __future__ import annotations

import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.chaos.stack import Stack
from contract.artifact import WEIGHTS
from harness.artifact import point_current_to

Act = Callable[[Stack, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """A fault that was done, at Unix seconds, while so many jobs were in flight."""

    kind: str
    at: float
    over: float
    """When the service was whole again."""
    in_flight: int


def kill_worker(stack: Stack, rng: random.Random) -> None:
    stack.kill_worker(rng.choice(list(stack.workers)))


def stop_worker(stack: Stack, rng: random.Random) -> None:
    """For longer than a heartbeat lives."""
    number = rng.choice(list(stack.workers))
    stack.signal_worker(number, signal.SIGSTOP)
    time.sleep(rng.uniform(8, 12))
    stack.signal_worker(number, signal.SIGCONT)


def drain_worker(stack: Stack, rng: random.Random) -> None:
    stack.drain_worker(rng.choice(list(stack.workers)))


def kill_redis(stack: Stack, rng: random.Random) -> None:
    stack.kill_redis(rng.uniform(0, 1.5))


def stop_redis(stack: Stack, rng: random.Random) -> None:
    stack.redis.pause()
    time.sleep(rng.uniform(1, 9))
    stack.redis.resume()


def cut_connections(stack: Stack, _: random.Random) -> None:
    for kind in ("normal", "pubsub"):
        stack.client.client_kill_filter(_type=kind, skipme=True)


def fill_memory(stack: Stack, rng: random.Random) -> None:
    stack.client.config_set("maxmemory", 1)
    time.sleep(rng.uniform(2, 9))
    stack.client.config_set("maxmemory", 0)


def kill_api(stack: Stack, _: random.Random) -> None:
    stack.kill_api()
    stack.await_ready()


def corrupt_model(stack: Stack, rng: random.Random) -> None:
    """A new version whose weights are cut short becomes current; then the good one again."""
    folder = stack.models / stack.settings.default_model
    good = (folder / "CURRENT").read_text(encoding="utf-8").strip()
    bad = f"2099{rng.randrange(10**8):08d}-corrupt"
    shutil.copytree(folder / good, folder / bad)
    (folder / bad / WEIGHTS).write_bytes((folder / good / WEIGHTS).read_bytes()[: rng.randrange(1000)])
    point_current_to(stack.models, stack.settings.default_model, bad)
    time.sleep(3)
    point_current_to(stack.models, stack.settings.default_model, good)


OTHERS: Mapping[str, tuple[Act, int]] = {
    "worker SIGSTOP, 8 to 12 s": (stop_worker, 4),
    "worker SIGTERM": (drain_worker, 6),
    "Redis SIGSTOP, 1 to 9 s": (stop_redis, 4),
    "connections cut": (cut_connections, 6),
    "memory full, 2 to 9 s": (fill_memory, 4),
    "API SIGKILL": (kill_api, 6),
    "corrupt model": (corrupt_model, 3),
}
"""And how often each is done in a full run."""
