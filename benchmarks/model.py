"""The engine against plain bert-for-tf2, offline: the model part of `make bench`.

`python -m benchmarks.model` prints the figures. Each arm is a process of its own; they take turns in every round.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import agreement, artifacts, peak, texts
from benchmarks.arm import Arm
from benchmarks.engine import batches
from contract.artifact import Architecture, read_manifest
from contract.model_store import ModelStore
from contract.settings import SharedSettings
from worker import packing

ROUNDS = 5
PRECISIONS = ("float32", "bfloat16")
UNIFORM = (32, 128, 256)
TEXTS: dict[artifacts.Size, dict[str, int]] = {
    "minilm": {"plain": 64, "mixed": 1024, "uniform_tokens": 32768},
    "base": {"plain": 16, "mixed": 256, "uniform_tokens": 4096},
}


@dataclass(frozen=True)
class Row:
    """One arm on one mix of lengths; medians over the rounds."""

    size: str
    lengths: str
    arm: str
    texts_per_s: float
    tokens_per_s: float
    over_plain: float
    real_over_computed: float
    flops_over_peak: float | None
    """FLOP/s of the products that the real tokens need, over the machine's peak in the same precision."""


def measure() -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The figures by name, and the rows behind them."""
    settings = SharedSettings.load()
    store = ModelStore(settings.models_dir)
    trained = store.path(settings.model, store.current(settings.model))
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
    } | {
        f"mixed_over_uniform_{size}": at[size, "mixed", "bfloat16"].tokens_per_s
        / at[size, "128", "bfloat16"].tokens_per_s
        for size in TEXTS
    }


def measure_size(artifact: Path, size: artifacts.Size) -> list[Row]:
    """Every arm on every mix."""
    counts = TEXTS[size]
    mixes = {"mixed": texts.mixed(counts["mixed"])}
    mixes |= {str(tokens): texts.uniform(counts["uniform_tokens"] // tokens, tokens) for tokens in UNIFORM}
    architecture = read_manifest(artifact).architecture
    with ExitStack() as stack:
        plain = stack.enter_context(Arm("benchmarks.plain", str(artifact)))
        engines = {each: stack.enter_context(Arm("benchmarks.engine", str(artifact), each)) for each in PRECISIONS}
        peaks = {each: stack.enter_context(Arm("benchmarks.peak", each)) for each in PRECISIONS}
        rows: list[Row] = []
        for lengths, mix in mixes.items():
            few = mix[: counts["plain"]]
            arms = {"plain": (plain, few)} | {name: (arm, mix) for name, arm in engines.items()}
            seconds = _rounds(arms, peaks)
            rows += _rows(size, lengths, architecture, {name: asked for name, (_, asked) in arms.items()}, seconds)
    return rows


def _rounds(arms: dict[str, tuple[Arm, list[str]]], peaks: dict[str, Arm]) -> dict[str, list[float]]:
    """Seconds of each arm in each round; `peak-<precision>` are those of peak.FLOPS. The first round is not counted."""
    seconds: dict[str, list[float]] = {}
    for _ in range(1 + ROUNDS):
        for name, (arm, asked) in arms.items():
            seconds.setdefault(name, []).append(arm.seconds(asked))
        for name, arm in peaks.items():
            seconds.setdefault(f"peak-{name}", []).append(arm.seconds([]))
    return {name: times[1:] for name, times in seconds.items()}


def _rows(
    size: str,
    lengths: str,
    architecture: Architecture,
    asked: dict[str, list[str]],
    seconds: dict[str, list[float]],
) -> list[Row]:
    rows = []
    plain_rates = [len(asked["plain"]) / each for each in seconds["plain"]]
    for arm, mix in asked.items():
        tokens = [encoded.length for encoded in texts.tokenizer().encode(mix)]
        rates = [len(mix) / each for each in seconds[arm]]
        padded = len(mix) * texts.MAX_LENGTH
        shares = None
        if arm in PRECISIONS:
            work = sum(flops(architecture, length) for length in tokens)
            pairs = zip(seconds[arm], seconds[f"peak-{arm}"], strict=True)
            shares = [work / mine / (peak.FLOPS / best) for mine, best in pairs]
        rows.append(
            Row(
                size=size,
                lengths=lengths,
                arm=arm,
                texts_per_s=statistics.median(rates),
                tokens_per_s=statistics.median(rates) * sum(tokens) / len(mix),
                over_plain=statistics.median(mine / base for mine, base in zip(rates, plain_rates, strict=True)),
                real_over_computed=sum(tokens) / (computed_tokens(architecture, tokens) if shares else padded),
                flops_over_peak=statistics.median(shares) if shares else None,
            )
        )
    return rows


def computed_tokens(architecture: Architecture, lengths: Sequence[int]) -> int:
    """Tokens that the engine computes, padding included, for texts of these lengths."""
    shapes = packing.shapes(texts.MAX_LENGTH, packing.batch_tokens(architecture, gpu=False))
    return sum(plan.shape.tokens for _, plan in batches(lengths, shapes))


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
