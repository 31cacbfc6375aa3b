"""The engine against plain bert-for-tf2, offline: the model part of `make bench`.

`python -m benchmarks.model` prints the figures. Each arm is a process of its own; they take turns in every round.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import agreement, artifacts, peak, texts
from benchmarks.arm import Arm
from benchmarks.engine import batches
from contract.artifact import Architecture, read_manifest
from contract.model_store import ModelStore
from contract.settings import SharedSettings
from worker.engine import packing

ROUNDS = 5
PRECISIONS = ("float32", "bfloat16")
UNIFORM = (32, 128, 256)
TEXTS: dict[artifacts.Size, dict[str, int]] = {
    "minilm": {"plain": 64, "mixed": 1024, "uniform_tokens": 32768},
    "base": {"plain": 16, "mixed": 256, "uniform_tokens": 4096},
}


@dataclass(frozen=True)
class Case:
    """What one arm is asked in every round."""

    arm: str
    lengths: str
    texts: list[str]
    tokens: list[int]
    """Of each text."""


@dataclass(frozen=True)
class Row:
    """One arm on one mix of lengths; medians over the rounds."""

    size: str
    lengths: str
    arm: str
    texts_per_s: float
    tokens_per_s: float
    over_plain: float
    """Texts per second over the plain arm's on the same lengths."""
    over_uniform: float
    """Tokens per second over the same arm's on texts of 128 tokens."""
    real_over_computed: float
    flops_over_peak: float | None
    """FLOP/s of the products that the real tokens need, over the machine's peak in the same precision."""


Rates = dict[tuple[str, str], list[float]]
"""By arm and lengths, how often a second all its texts were answered, in each round; ("peak", precision) likewise."""


def measure() -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The figures by name, and the rows behind them."""
    settings = SharedSettings.load()
    store = ModelStore(Path(str(settings.models_dir)))
    trained = store.path(settings.default_model, store.current(settings.default_model))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="retort-bench-") as folder:
        for size in TEXTS:
            rows += measure_size(artifacts.write(Path(folder), size), size)
    return figures(rows) | agreement.measure(trained), [asdict(row) for row in rows]


def figures(rows: Sequence[Row]) -> dict[str, float]:
    """What the rows say, under the names of the benchmark page."""
    at = {(row.size, row.lengths, row.arm): row for row in rows}
    mixed = at["minilm", "mixed", "bfloat16"]
    return {
        "engine_over_plain_bf16": mixed.over_plain,
        "engine_over_plain_fp32": at["minilm", "mixed", "float32"].over_plain,
        "real_over_computed_tokens": mixed.real_over_computed,
    } | {f"mixed_over_uniform_{size}": at[size, "mixed", "bfloat16"].over_uniform for size in TEXTS}


def measure_size(artifact: Path, size: artifacts.Size) -> list[Row]:
    """Every arm on every mix, by turns."""
    architecture, cases = read_manifest(artifact).architecture, _cases(size)
    with ExitStack() as stack:
        arms = {"plain": stack.enter_context(Arm("benchmarks.plain", str(artifact)))}
        arms |= {each: stack.enter_context(Arm("benchmarks.engine", str(artifact), each)) for each in PRECISIONS}
        peaks = {each: stack.enter_context(Arm("benchmarks.peak", each)) for each in PRECISIONS}
        rates: Rates = defaultdict(list)
        for number in range(1 + ROUNDS):
            found = {(case.arm, case.lengths): arms[case.arm].seconds(case.texts) for case in cases}
            found |= {("peak", precision): arm.seconds([]) for precision, arm in peaks.items()}
            if number:  # the first round only warms up
                for key, seconds in found.items():
                    rates[key].append(1 / seconds)
    return [_row(size, architecture, case, cases, rates) for case in cases]


def _cases(size: artifacts.Size) -> list[Case]:
    counts = TEXTS[size]
    mixes = {"mixed": texts.mixed(counts["mixed"])}
    mixes |= {str(tokens): texts.uniform(counts["uniform_tokens"] // tokens, tokens) for tokens in UNIFORM}
    cases = []
    for lengths, mix in mixes.items():
        tokens = [encoded.length for encoded in texts.tokenizer().encode(mix)]
        few = counts["plain"]
        cases.append(Case("plain", lengths, mix[:few], tokens[:few]))
        cases += [Case(precision, lengths, mix, tokens) for precision in PRECISIONS]
    return cases


def _row(size: str, architecture: Architecture, case: Case, cases: Sequence[Case], rates: Rates) -> Row:
    at = {(each.arm, each.lengths): each for each in cases}
    mine, plain, uniform = (case.arm, case.lengths), ("plain", case.lengths), (case.arm, "128")
    work = sum(flops(architecture, length) for length in case.tokens) / peak.FLOPS
    padded = len(case.texts) * texts.MAX_LENGTH
    return Row(
        size=size,
        lengths=case.lengths,
        arm=case.arm,
        texts_per_s=len(case.texts) * statistics.median(rates[mine]),
        tokens_per_s=sum(case.tokens) * statistics.median(rates[mine]),
        over_plain=len(case.texts) / len(at[plain].texts) * _median_ratio(rates[mine], rates[plain]),
        over_uniform=sum(case.tokens) / sum(at[uniform].tokens) * _median_ratio(rates[mine], rates[uniform]),
        real_over_computed=sum(case.tokens)
        / (padded if case.arm == "plain" else computed_tokens(architecture, case.tokens)),
        flops_over_peak=work * _median_ratio(rates[mine], rates["peak", case.arm]) if case.arm in PRECISIONS else None,
    )


def _median_ratio(these: Sequence[float], those: Sequence[float]) -> float:
    """Of the rounds."""
    return statistics.median(this / that for this, that in zip(these, those, strict=True))


def computed_tokens(architecture: Architecture, lengths: Sequence[int]) -> int:
    """Tokens that the engine computes, padding included, for texts of these lengths."""
    shapes = packing.shapes(texts.MAX_LENGTH, packing.batch_tokens(architecture, gpu=False))
    return sum(plan.shape.tokens for _, plan in batches(lengths, partial(packing.plan, available=shapes)))


def flops(architecture: Architecture, length: int) -> int:
    """Floating point operations of the matrix products that the answer for one text of this length needs.

    Of the last layer only the first token's output is read, so it needs the keys and values of all tokens but the
    rest for one alone.
    """
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    rest = 4 * hidden**2 + 4 * hidden * inner  # query, attention's output, and the two of the feed-forward part
    token = 4 * hidden**2 + rest + 4 * length * hidden  # keys and values; scores and their sums
    return (architecture.num_hidden_layers - 1) * length * token + length * 4 * hidden**2 + rest + 4 * length * hidden


if __name__ == "__main__":
    found, details = measure()
    print(json.dumps({"figures": found, "rows": details}, indent=2))
