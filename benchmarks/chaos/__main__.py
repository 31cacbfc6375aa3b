"""`python -m benchmarks.chaos [PART …]`: break the service in every way, audit every job, write benchmarks/chaos.json.

All parts without an argument, which takes over half an hour; SHARE makes each as much shorter. `hostile` is every part
whose name begins so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.chaos import durability, failover, hostile_clients, parts, poison, report, soak, upgrade
from benchmarks.chaos.parts import Found

BLEMISHES = ("jobs_lost", "jobs_wrong", "jobs_stuck", "swap_failed_requests", "soak_errors", "soak_keys_left",
             "upgrade_failed_requests", "upgrade_processes_ended", "upgrade_dead_letters", "upgrade_not_left_alone",
             "hostile_live_failed", "hostile_processes_ended", "hostile_jobs_late",
             "hostile_failed_requests", "failover_jobs_lost", "failover_jobs_wrong", "failover_jobs_stuck")  # fmt: skip
"""A run in which one of these is not zero has failed."""
Part = Callable[[int, float], Found]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *GROUPS, []], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=1, help="the same faults in the same order")
    parser.add_argument("--share", type=float, default=1.0, help="of a full run")
    asked = parser.parse_args()
    bad = 0.0
    for name in chain.from_iterable(GROUPS.get(part, [part]) for part in asked.parts or PARTS):
        print(f"{name} ...", flush=True)
        found = PARTS[name](asked.seed, asked.share)
        report.save(name, asked.seed, found.figures, found.rows, found.notes)
        bad += sum(found.figures.get(figure, 0) for figure in BLEMISHES)
    print(report.write_page())
    return 1 if bad else 0


def _times(full: int, share: float) -> int:
    return max(1, round(full * share))


def _poison(_: int, __: float) -> Found:
    with tempfile.TemporaryDirectory() as models:
        return Found(poison.measure(Path(models)))


def _durability(_: int, __: float) -> Found:
    with tempfile.TemporaryDirectory() as models:
        return Found(durability.measure(Path(models)))


def _soak(_: int, share: float) -> Found:
    figures, notes = soak.measure(15 * share)
    return Found(figures, [], notes)


PARTS: Mapping[str, Part] = {
    "workers": lambda seed, share: parts.worker_kills(seed, _times(200, share)),
    "redis": lambda seed, share: parts.redis_kills(seed, _times(50, share)),
    "others": parts.other_faults,
    "hostile_redis": lambda seed, share: parts.hostile_redis_writes(seed, _times(5000, share)),
    "upgrade": upgrade.measure,
    "swaps": lambda seed, share: parts.swaps(seed, _times(50, share), _times(20, share)),
    "poison": _poison,
    "hostile_clients": hostile_clients.measure,
    "durability": _durability,
    "failover": lambda seed, share: failover.measure(seed, _times(30, share)),
    "soak": _soak,
}
GROUPS: Mapping[str, Sequence[str]] = {"hostile": [part for part in PARTS if part.startswith("hostile_")]}


if __name__ == "__main__":
    sys.exit(main())
