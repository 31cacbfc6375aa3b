"""What remembered answers are worth: questions of which some come again and again, with the cache and without."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import artifacts
from benchmarks.load import batches, closed_loop
from harness.running_service import RunningService

QUESTIONS, ROUNDS = 10_000, 3
PER_REQUEST, CONNECTIONS = 16, 16
CACHE_MB = {"on": 256, "off": 0}


@dataclass(frozen=True)
class Repeated:
    """Medians over the rounds."""

    questions: int
    distinct: int
    """How many different questions those were, in the last round."""
    on_texts_per_s: float
    off_texts_per_s: float
    gain: float
    """Of the rounds' ratios, with the cache over without it."""


def zipf(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """So many questions; that of rank n comes with a probability in proportion to 1/n.

    Each seed makes questions of its own, so that no cache knows them before.
    """
    rng = np.random.default_rng(seed)
    shares = 1 / np.arange(1, count + 1)
    ranks = rng.choice(count, size=count, p=shares / shares.sum()).tolist()
    return [f"{seed} {rank} {texts[rank % len(texts)]}" for rank in ranks]


def measure(models: Path, texts: Sequence[str], count: int = QUESTIONS, rounds: int = ROUNDS) -> Repeated:
    """Two services of one worker each, one that remembers and one that does not, by turns."""
    artifacts.write(models, "minilm")
    rates: dict[str, list[float]] = {name: [] for name in CACHE_MB}
    distinct = 0
    with ExitStack() as stack:
        services = {
            name: stack.enter_context(RunningService(models, "minilm", backlog_s=1e9, answer_cache_mb=size))
            for name, size in CACHE_MB.items()
        }
        for number in range(rounds):
            asked = zipf(texts, count, number)
            distinct = len(set(asked))
            for name, service in services.items():
                outcome = closed_loop(service.url, batches(asked, PER_REQUEST), CONNECTIONS)
                rates[name].append(outcome.texts_per_s())
    return Repeated(
        questions=count,
        distinct=distinct,
        on_texts_per_s=statistics.median(rates["on"]),
        off_texts_per_s=statistics.median(rates["off"]),
        gain=statistics.median(on / off for on, off in zip(rates["on"], rates["off"], strict=True)),
    )
