"""What windows cost: texts per second of a version's engine, long texts cut off and in windows, by turns.

`python -m benchmarks.windows_price VERSION cut|windows` is an arm. The engine is loaded in arms alone: it leaves
settings in the environment that no training may inherit.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.arm import Arm, serve
from contract.windows import MOST, Windows

TURNS = 5
WAYS = ("cut", "windows")


def texts_per_s(version: Path, texts: Sequence[str]) -> dict[str, float]:
    """`cut_texts_per_s` and `windows_texts_per_s`, medians, tokenizing included."""
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with ExitStack() as stack:
        arms = {way: stack.enter_context(Arm(__name__, str(version), way, pausing=True)) for way in WAYS}
        for _ in range(TURNS):
            for way, arm in arms.items():
                rates[way].append(len(texts) / arm.seconds(texts))
    return {f"{way}_texts_per_s": statistics.median(each) for way, each in rates.items()}


def main() -> None:
    from worker.engine.model import load

    model = load(Path(sys.argv[1]))
    windows = Windows.usual("mean", model.manifest.max_length) if sys.argv[2] == "windows" else None

    def work(texts: list[str]) -> None:
        encoded = model.tokenizer.encode(texts, windows=windows, most=MOST)
        model.run_all([ids for text in encoded for ids in text.windows])

    serve(work, about=model.runtime)


if __name__ == "__main__":
    main()
