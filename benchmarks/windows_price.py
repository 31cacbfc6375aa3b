"""What windows cost: texts per second of a version's engine, long texts cut off and in windows, by turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from contract.windows import MOST, Windows
from worker.engine.model import Model, load

TURNS = 5


def texts_per_s(version: Path, texts: Sequence[str]) -> dict[str, float]:
    """`cut_texts_per_s` and `windows_texts_per_s`, medians, tokenizing included."""
    model = load(version)
    ways = {"cut": None, "windows": Windows.usual("mean", model.manifest.max_length)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS):
        for name, windows in ways.items():
            rates[name].append(len(texts) / _seconds(model, texts, windows))
    return {f"{name}_texts_per_s": statistics.median(each) for name, each in rates.items()}


def _seconds(model: Model, texts: Sequence[str], windows: Windows | None) -> float:
    started = time.perf_counter()
    encoded = model.tokenizer.encode(texts, windows=windows, most=MOST)
    model.run_all([ids for text in encoded for ids in text.windows])
    return time.perf_counter() - started
