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
RETORT = "Retort"
COUNTS = {"mixed": 512, "short": 1024, "uniform128": 128}


@dataclass(frozen=True)
class Contender:
    """One engine as it is run."""

    engine: str
    precision: str
    budget: int


@dataclass(frozen=True)
class PeerSpeed:
    """One engine in one precision on one mix of lengths; medians over the rounds."""

    mix: str
    engine: str
    precision: str
    budget: int
    """Tokens a batch, at most; the best of those that were tried."""
    texts_per_s: float
    retort_over: float
    """Retort's texts per second, in the same precision or float32, over these."""


Rates = Mapping[tuple[Contender, str], list[float]]
"""Texts per second of each contender on each mix, in each round."""


def measure(python: Path, folder: Path, artifact: Path) -> list[PeerSpeed]:
    """All of them on the classifier in `folder`, Retort on `artifact`, which has the same weights.

    python: of the environment that has the other engines.
    """
    mixes = {
        "mixed": texts.mixed(COUNTS["mixed"]),
        "short": texts.short(COUNTS["short"]),
        "uniform128": texts.uniform(COUNTS["uniform128"], 128),
    }
    with ExitStack() as stack:
        arms = {contender: stack.enter_context(_arm(contender, python, folder, artifact)) for contender in contenders()}
        rates: dict[tuple[Contender, str], list[float]] = {(arm, mix): [] for arm in arms for mix in mixes}
        for number in range(1 + ROUNDS):
            for mix, some in mixes.items():
                for contender, arm in arms.items():
                    rate = len(some) / arm.seconds(some)
                    if number:  # a first round sees shapes for the first time
                        rates[contender, mix].append(rate)
    return list(rows(rates))


def contenders() -> list[Contender]:
    """Retort in each precision, then every other engine in each precision with each budget."""
    half = [] if not cpu_multiplies_bfloat16() else ["bfloat16"]
    ours = [Contender(RETORT, precision, 0) for precision in [*half, "float32"]]
    others = [
        Contender(engine, precision, budget)
        for engine, precisions in PRECISIONS.items()
        for precision in precisions
        if precision != "bfloat16" or half
        for budget in BUDGETS
    ]
    return ours + others


def _arm(contender: Contender, python: Path, folder: Path, artifact: Path) -> Arm:
    if contender.engine == RETORT:
        return Arm("benchmarks.engine", str(artifact), contender.precision, pausing=True)
    arguments = (contender.engine, str(folder), contender.precision, str(contender.budget))
    return Arm("benchmarks.peers.engines", *arguments, python=python, pausing=True)


def rows(rates: Rates) -> Iterator[PeerSpeed]:
    """For each mix, each engine in each precision with its best budget."""
    for mix in dict.fromkeys(mix for _, mix in rates):
        found = {contender: each for (contender, of), each in rates.items() if of == mix}
        best: dict[tuple[str, str], Contender] = {}
        for contender in sorted(found, key=lambda each: statistics.median(found[each])):
            best[contender.engine, contender.precision] = contender
        for (engine, precision), contender in sorted(best.items(), key=lambda each: each[0][0] != RETORT):
            against = best.get((RETORT, precision), best[RETORT, "float32"])
            yield PeerSpeed(
                mix=mix,
                engine=engine,
                precision=precision,
                budget=contender.budget,
                texts_per_s=statistics.median(found[contender]),
                retort_over=_ratio(found[against], found[contender]),
            )


def figures(found: Sequence[PeerSpeed]) -> dict[str, float]:
    """Retort over OpenVINO, in bfloat16."""
    return {
        f"engine_over_openvino_{row.mix}": row.retort_over
        for row in found
        if row.engine == "OpenVINO" and row.precision == "bfloat16"
    }


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
