"""The engines without HTTP: Retort's, OpenVINO, ONNX Runtime and PyTorch, by turns, tokenizing included."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import texts
from benchmarks.arm import Arm
from encoders.precision import cpu_multiplies_bfloat16

ROUNDS = 5
BUDGETS = (1024, 2048, 4096)
"""Tokens of a batch; of each engine that budget counts which is best for it."""
PRECISIONS = {
    "OpenVINO": ("bfloat16", "float32"),
    "ONNX Runtime": ("int8", "float32"),
    "PyTorch": ("bfloat16", "float32"),
}
"""What each of them has on a CPU."""
COUNTS = {"mixed": 512, "short": 1024, "uniform128": 128}


@dataclass(frozen=True)
class PeerSpeed:
    """One engine in one precision on one mix of lengths, and Retort by turns with it; medians over the rounds."""

    mix: str
    engine: str
    precision: str
    budget: int
    """Tokens a batch, at most; the best of those that were tried."""
    texts_per_s: float
    retort_texts_per_s: float
    """In the same precision; beside 8 bits, which it has none of, in its fastest."""
    retort_runtime: str
    """The one that it chose when it loaded the model."""
    retort_over: float


Rates = Mapping[tuple[int, str], Sequence[float]]
"""Texts per second by budget and mix, in each round; Retort's are under RETORT."""
RETORT = 0


def measure(python: Path, folder: Path, artifact: Path) -> list[PeerSpeed]:
    """All of them on the classifier in `folder`, Retort on `artifact`, which has the same weights.

    python: of the environment that has the other engines.
    """
    found: list[PeerSpeed] = []
    for engine, precisions in PRECISIONS.items():
        for precision in precisions:
            if precision != "bfloat16" or cpu_multiplies_bfloat16():
                runtime, rates = _rates(engine, precision, python, folder, artifact)
                found += speeds(engine, precision, runtime, rates)
    return found


def _rates(engine: str, precision: str, python: Path, folder: Path, artifact: Path) -> tuple[str, Rates]:
    """The runtime that Retort chose, and what was measured.

    Few processes live at a time: what a machine does with the memory of those that rest, it does to none.
    """
    mixes = {
        "mixed": texts.mixed(COUNTS["mixed"]),
        "short": texts.short(COUNTS["short"]),
        "uniform128": texts.uniform(COUNTS["uniform128"], 128),
    }
    own = "bfloat16" if precision != "float32" and cpu_multiplies_bfloat16() else "float32"
    with ExitStack() as stack:
        arms = {RETORT: stack.enter_context(Arm("benchmarks.engine", str(artifact), own, pausing=True))}
        for budget in BUDGETS:
            arguments = (engine, str(folder), precision, str(budget))
            arm = Arm("benchmarks.peers.engines", *arguments, python=python, pausing=True)
            arms[budget] = stack.enter_context(arm)
        rates: dict[tuple[int, str], list[float]] = {(budget, mix): [] for budget in arms for mix in mixes}
        for number in range(1 + ROUNDS):
            for mix, some in mixes.items():
                for budget, arm in arms.items():
                    rate = len(some) / arm.seconds(some)
                    if number:  # a first round sees shapes for the first time
                        rates[budget, mix].append(rate)
    return arms[RETORT].about, rates


def speeds(engine: str, precision: str, runtime: str, rates: Rates) -> Iterator[PeerSpeed]:
    """On each mix, with the budget that is best for it."""
    for mix in dict.fromkeys(mix for _, mix in rates):
        of = {budget: each for (budget, on), each in rates.items() if on == mix}
        best = max(of.keys() - {RETORT}, key=lambda budget: statistics.median(of[budget]))
        ratios = [ours / theirs for ours, theirs in zip(of[RETORT], of[best], strict=True)]
        yield PeerSpeed(
            mix=mix,
            engine=engine,
            precision=precision,
            budget=best,
            texts_per_s=statistics.median(of[best]),
            retort_texts_per_s=statistics.median(of[RETORT]),
            retort_runtime=runtime,
            retort_over=statistics.median(ratios),
        )


def figures(found: Sequence[PeerSpeed]) -> dict[str, float]:
    """Retort over OpenVINO, in bfloat16."""
    return {
        f"engine_over_openvino_{row.mix}": row.retort_over
        for row in found
        if row.engine == "OpenVINO" and row.precision == "bfloat16"
    }
