"""Where the figures go: benchmarks/results.json, the tables of docs/benchmarks.md and the plots beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt

from benchmarks import tables
from benchmarks.latency import Point
from benchmarks.peers.offline import PeerSpeed
from benchmarks.record import ROOT, Record, machine

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

RECORD = Record(ROOT / "benchmarks" / "results.json", ROOT / "docs" / "benchmarks.md")
PLOTS = ROOT / "docs" / "benchmarks"
FLOORS = {
    "engine_over_plain_bf16": 12,
    "engine_over_plain_fp32": 6,
    "mixed_over_uniform_base": 0.92,
    "mixed_over_uniform_minilm": 0.90,
    "real_over_computed_tokens": 0.95,
    "bf16_label_agreement": 0.995,
    "served_over_bare_base_16": 0.95,
    "served_over_bare_minilm_16": 0.85,
    "served_over_bare_minilm_1": 0.60,
    "overload_goodput": 0.95,
    "path_texts_per_s_64": 12_000,
    "path_texts_per_s_bulk": 12_000,
    "path_requests_per_s_1": 1_500,
    "simulated_gpu_fill_bulk": 0.95,
    "simulated_gpu_fill_mixed": 0.85,
    "engine_over_openvino_mixed": 1.1,
    "engine_over_openvino_short": 1.05,
    "engine_over_openvino_uniform128": 1,
    "served_over_litserve_1": 3,
    "served_over_litserve_16": 4.5,
    "served_over_infinity_1": 2,
    "served_over_infinity_16": 2,
    "zipf_cache_gain": 2,
    "roberta_over_bert": 0.9,
    "electra_over_bert": 0.9,
    "distilbert_over_bert": 1.8,
    "albert_over_bert": 0.9,
}
CEILINGS = {
    "poison_throughput_loss": 0.15,
    "bf16_max_score_difference": 0.03,
    "fp32_max_score_difference": 1e-4,
    "idle_latency_overhead_ms": 6,
    "retraces_after_ready": 0,
    "import_to_answer_s": 15,
    "interactive_p95_beside_bulk_over_idle": 3,
    "batches_after_cancel": 2,
    "path_worker_us_per_text_64": 70,
    "simulated_gpu_interactive_p95_ms": 100,
}


def save(part: str, figures: dict[str, float], details: Any) -> None:
    """Merge one part's figures and details into results.json, with the machine that they come from."""
    results = RECORD.load()
    results["figures"] |= figures
    results["parts"][part] = {"machine": machine(), "details": details}
    RECORD.store(results)


def rows(items: Sequence[DataclassInstance]) -> list[dict[str, Any]]:
    """Dataclasses as results.json holds them."""
    return [asdict(item) for item in items]


def write_page() -> str:
    """Fill docs/benchmarks.md between its markers from results.json, and return the tables."""
    results = RECORD.load()
    found = "\n".join(_figure_lines(results["figures"])) + "\n\n" + tables.of(results["parts"])
    RECORD.show(found)
    return found


def plot_latency(points: Sequence[Point], name: str) -> None:
    """Latency and goodput over the offered load, as docs/benchmarks/<name>.png."""
    PLOTS.mkdir(exist_ok=True)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    shares = [100 * point.share for point in points]
    for attribute in ("p50_s", "p95_s", "p99_s"):
        left.plot(shares, [1000 * getattr(point, attribute) for point in points], marker="o", label=attribute[:3])
    left.set(xlabel="offered load, % of capacity", ylabel="latency from the intended send, ms", yscale="log")
    left.legend()
    right.plot(shares, [point.offered for point in points], color="grey", linestyle=":", label="offered")
    right.plot(shares, [point.good for point in points], marker="o", label="answered")
    right.set(xlabel="offered load, % of capacity", ylabel="requests/s", ylim=(0, None))
    right.legend()
    figure.savefig(PLOTS / f"{name}.png", dpi=110)
    plt.close(figure)


def plot_peers(speeds: Sequence[PeerSpeed], name: str) -> None:
    """Retort's texts per second over each engine's, as docs/benchmarks/<name>.png."""
    PLOTS.mkdir(exist_ok=True)
    mixes = list(dict.fromkeys(speed.mix for speed in speeds))
    figure, axes = plt.subplots(1, len(mixes), figsize=(11, 3), sharey=True, constrained_layout=True)
    for axis, mix in zip(axes, mixes, strict=True):
        found = [speed for speed in speeds if speed.mix == mix]
        axis.barh([f"{each.engine}, {each.precision}" for each in found], [each.retort_over for each in found])
        axis.axvline(1, color="grey", linestyle=":")
        axis.set(title=mix, xlabel="Retort's texts/s over its")
    figure.savefig(PLOTS / f"{name}.png", dpi=110)
    plt.close(figure)


def _figure_lines(figures: dict[str, float]) -> list[str]:
    lines = ["| figure | asked | measured |", "| --- | ---: | ---: |"]
    for name, floor in FLOORS.items():
        lines.append(f"| `{name}` | ≥ {floor:g} | {_shown(figures.get(name))} |")
    for name, ceiling in CEILINGS.items():
        lines.append(f"| `{name}` | ≤ {ceiling:g} | {_shown(figures.get(name))} |")
    return lines


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"
