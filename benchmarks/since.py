"""`python -m benchmarks.since REVISION`: today's code over that of another revision, by turns in one run.

Both serve the same artifact, which the other revision writes. A ratio above 1 says that today's is faster. A process
keeps the pages and the caches that it began with, for better or worse by a fifth: both begin anew several times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks import texts
from benchmarks.arm import Arm
from benchmarks.artifacts import VERSION
from benchmarks.load import Connection, batches, closed_loop
from benchmarks.record import machine
from harness.process import ROOT
from harness.release import checked_out
from harness.running_service import RunningService

LIVES = 4
ROUNDS = 3
"""Of each life."""
WAYS = ((1, 64, 256), (16, 16, 512))
"""Texts a request, connections, texts a round."""
LONE = 60
"""Requests of one text each, one after the other, that a round's latency is the median of."""
Ratios = Mapping[str, Sequence[float]]
"""Today's figure over the other's, of each round."""
WRITE = "import sys, pathlib, benchmarks.artifacts as made; made.write(pathlib.Path(sys.argv[1]), 'minilm')"


def main(revision: str) -> None:
    print(machine())
    with checked_out(revision) as other, tempfile.TemporaryDirectory(prefix="retort-models-") as folder:
        models = Path(folder)
        subprocess.run([sys.executable, "-c", WRITE, folder], cwd=other, check=True)
        for measure in (_engine, _served):
            lives = [measure(other, models) for _ in range(LIVES)]
            for name in lives[0]:
                low, median, high = statistics.quantiles([ratio for life in lives for ratio in life[name]])
                by_life = ", ".join(f"{statistics.median(life[name]):.3f}" for life in lives)
                print(f"{name}: {median:.3f} ({low:.3f} to {high:.3f}; of each life {by_life})", flush=True)


def _engine(other: Path, models: Path) -> Ratios:
    asked = texts.mixed(256)
    with ExitStack() as stack:
        arms = [
            stack.enter_context(Arm("benchmarks.engine", str(models / "minilm" / VERSION), "auto", code=code))
            for code in (other, ROOT)
        ]
        return {"engine, texts/s": _by_turns(lambda side: len(asked) / arms[side].seconds(asked))}


def _served(other: Path, models: Path) -> Ratios:
    mixed = texts.mixed(512)
    with ExitStack() as stack:
        today = stack.enter_context(RunningService(models, "minilm", backlog_s=1e9, answer_cache_mb=0))
        before = stack.enter_context(RunningService(models, "minilm", backlog_s=1e9, code=other))
        urls = [before.url, today.url]

        def rate(side: int, size: int, connections: int, count: int) -> float:
            requests = batches(mixed[:count], size)
            outcome = closed_loop(urls[side], requests, connections)
            if outcome.count(200) != len(requests):
                raise RuntimeError(f"{urls[side]} left requests unanswered")
            return outcome.texts_per_s()

        def lone(side: int) -> float:
            with closing(Connection(urls[side])) as connection:
                asked = [connection.predict([text], time.perf_counter()).latency_s for text in mixed[:LONE]]
            return 1 / statistics.median(asked)

        found = {
            f"served, texts/s, {way[0]} a request": _by_turns(lambda side, way=way: rate(side, *way))  # type: ignore[misc]
            for way in WAYS
        }
        return {**found, "idle, 1 over the latency of a lone request": _by_turns(lone)}


def _by_turns(measure: Callable[[int], float]) -> list[float]:
    """Today's figure (side 1) over the other's (side 0), of each round; who begins changes, and a first one is lost."""
    for side in (0, 1):
        measure(side)
    ratios = []
    for turn in range(ROUNDS):
        found = {side: measure(side) for side in ((0, 1) if turn % 2 else (1, 0))}
        ratios.append(found[1] / found[0])
    return ratios


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
