"""`python -m benchmarks.runtimes minilm|base`: what computes on the CPU, TensorFlow or OpenVINO, by turns in one run.

Prints the table of docs/engine.md: texts per second, medians over the rounds, over TensorFlow's in the same precision;
and of each process the seconds until its model was warm and the memory that it then has.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks import artifacts, texts
from benchmarks.arm import Arm
from benchmarks.record import machine
from worker.engine import runtimes

ROUNDS = 5
COUNTS: dict[artifacts.Size, dict[str, int]] = {
    "minilm": {"mixed": 1024, "short": 2048, "uniform128": 256},
    "base": {"mixed": 128, "short": 256, "uniform128": 32},
}


def main(size: artifacts.Size) -> None:
    count = COUNTS[size]
    mixes = {
        "mixed": texts.mixed(count["mixed"]),
        "short": texts.short(count["short"]),
        "uniform128": texts.uniform(count["uniform128"], 128),
    }
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        artifact = artifacts.write(Path(folder), size)
        arms, started_s, mib = {}, {}, {}
        for runtime, precision in runtimes.kinds("auto", "auto"):
            started = time.perf_counter()
            arm = Arm("benchmarks.engine", str(artifact), precision, runtime, pausing=True)
            arms[precision, runtime] = stack.enter_context(arm)
            started_s[precision, runtime] = time.perf_counter() - started
            mib[precision, runtime] = psutil.Process(arm.pid).memory_info().rss / 2**20
        rates: dict[tuple[str, str, str], list[float]] = {}
        for _ in range(1 + ROUNDS):
            for mix, some in mixes.items():
                for kind, arm in arms.items():
                    rates.setdefault((*kind, mix), []).append(len(some) / arm.seconds(some))
    print(machine())
    columns = "".join(f" {mix} |" for mix in mixes)
    print(f"| precision | runtime | s until warm | MiB |{columns}\n| --- | --- {'| ---: ' * (2 + len(mixes))}|")
    for precision, runtime in arms:
        shown = [_shown(rates[precision, runtime, mix][1:], rates[precision, "tensorflow", mix][1:]) for mix in mixes]
        head = (precision, runtime, f"{started_s[precision, runtime]:.1f}", f"{mib[precision, runtime]:.0f}")
        print(f"| {' | '.join([*head, *shown])} |")


def _shown(own: list[float], others: list[float]) -> str:
    ratio = statistics.median(each / other for each, other in zip(own, others, strict=True))
    return f"{statistics.median(own):,.0f} ({ratio:.2f})"


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COUNTS:
        sys.exit(__doc__)
    main(sys.argv[1])
