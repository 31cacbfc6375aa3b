"""`python -m benchmarks [PART …]`: measure, and write benchmarks/results.json, docs/benchmarks.md and its plots.

Parts: model (engine against plain bert-for-tf2), served (what the path costs), latency (open loop, overload), bulk (a
big job beside short questions, and its cancel), null (the path with next to no model), path (the way to a simulated
GPU), repeated (what remembered answers are worth), families (each family over BERT), models (several in one worker
against a worker each; an import's first answer), poison (what texts cost that the model fails on), scale (fleets of up
to 1,000 workers, in simulated time). All of them without an argument.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import artifacts, bulk, families, latency, model, path, repeated, report, scale, several_models, texts
from benchmarks.arm import Arm
from benchmarks.chaos import poison
from benchmarks.served import Asking, Served, measure, served_over_bare
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact

WAYS: dict[artifacts.Size, tuple[Asking, ...]] = {
    "minilm": (Asking(16, 16, 4096), Asking(1, 64, 1024), Asking(64, 8, 2048)),
    "base": (Asking(16, 16, 512),),
}
NULL = (Asking(1, 64, 2000), Asking(16, 16, 4000), Asking(64, 8, 8000))


def measure_model(_: Path) -> None:
    figures, details = model.measure()
    report.save("model", figures, details)


def measure_served(models: Path) -> None:
    mixed = texts.mixed(4096)
    measured: list[Served] = []
    for size, ways in WAYS.items():
        artifacts.write(models, size)
        measured += (rows := served_over_bare(models, size, artifacts.VERSION, ways, mixed))
        figures = {f"served_over_bare_{size}_{row.asking.texts_per_request}": row.served_over_bare for row in rows}
        report.save(f"served_{size}", figures, report.rows(rows))


def measure_latency(models: Path) -> None:
    mixed = texts.mixed(2048)
    artifact = artifacts.write(models, "minilm", "20260102t000000-latency")
    with (
        Arm("benchmarks.engine", str(artifact), "auto") as bare,
        RunningService(models, "minilm", answer_cache_mb=0) as service,
    ):
        overhead = latency.idle_overhead_ms(service, bare, mixed)
        points = latency.sweep(service, mixed, latency.capacity(service, mixed))
        retraces = service.metric("retort_retraces_after_ready")
    figures = {
        "idle_latency_overhead_ms": overhead,
        "overload_goodput": latency.overload_goodput(points),
        "retraces_after_ready": retraces,
    }
    report.save("latency", figures, report.rows(points))
    report.plot_latency(points, "latency")


def measure_bulk(models: Path) -> None:
    artifacts.write(models, "minilm")
    with RunningService(models, "minilm", answer_cache_mb=0) as service:
        found = bulk.measure(service, texts.mixed(1024))
    figures = {
        "interactive_p95_beside_bulk_over_idle": found.beside_p95_s / found.idle_p95_s,
        "batches_after_cancel": found.batches_after_cancel,
    }
    report.save("bulk", figures, report.rows([found]))


def measure_null(models: Path) -> None:
    artifact = write_tiny_artifact(models)
    short = texts.short(8000)
    with (
        Arm("benchmarks.engine", str(artifact), "auto") as bare,
        RunningService(models, "tiny", backlog_s=1e9, answer_cache_mb=0) as service,
    ):
        rows = [measure(service, bare, asking, short) for asking in NULL]
    report.save("null", {}, report.rows(rows))


def measure_path(models: Path) -> None:
    artifacts.write(models, "minilm")
    short, mixed = texts.short(8000), texts.mixed(8192)
    with path.simulated_service(models, 0.0) as service:
        ways = path.carried(service, short)
    with path.simulated_service(models, path.FULL_BATCH_S) as service:
        feeds = [path.fed(service, mixed, short, asked=asked) for asked in (False, True)]
    report.save("path", path.figures(ways, feeds), report.rows(ways))
    report.save("feed", {}, report.rows(feeds))


def measure_repeated(models: Path) -> None:
    found = repeated.measure(models, texts.short(2000))
    report.save("repeated", {"zipf_cache_gain": found.gain}, report.rows([found]))


def measure_families(models: Path) -> None:
    rows = families.measure(models, texts.mixed(1024))
    report.save("families", families.figures(rows), report.rows(rows))


def measure_models(models: Path) -> None:
    seconds = several_models.import_to_answer_s(models)
    report.save("models", {"import_to_answer_s": seconds}, report.rows(several_models.measure()))


def measure_poison(models: Path) -> None:
    report.save("poison", poison.measure(models), [])


def measure_scale(_: Path) -> None:
    known = report.RECORD.load()["parts"]
    report.save("scale", {}, report.rows(scale.fleets(known)))
    report.save("beside", {}, report.rows([scale.beside(known, device) for device in (scale.CPU, scale.GPU)]))


PARTS: dict[str, Callable[[Path], None]] = {
    "model": measure_model,
    "served": measure_served,
    "latency": measure_latency,
    "bulk": measure_bulk,
    "null": measure_null,
    "path": measure_path,
    "repeated": measure_repeated,
    "families": measure_families,
    "models": measure_models,
    "poison": measure_poison,
    "scale": measure_scale,
}


def main(parts: list[str]) -> None:
    if unknown := set(parts) - PARTS.keys():
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    shown = ""
    for part in parts or PARTS:
        print(f"measuring: {part}", flush=True)
        with tempfile.TemporaryDirectory(prefix="retort-models-") as folder:
            PARTS[part](Path(folder))
        shown = report.write_page()
    print(shown)


if __name__ == "__main__":
    main(sys.argv[1:])
