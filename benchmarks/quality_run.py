"""One training of `benchmarks.quality` by the command line, as a user would, and what is read from its artifact."""

from __future__ import annotations

import csv
import os
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.record import ROOT
from benchmarks.unfamiliar import aurocs
from benchmarks.windows_price import texts_per_s
from contract.artifact import Manifest, read_manifest
from training.data.table import read_table

NAME = "quality"
"""Of the models."""
PRECISION = 0.95
PRICED = 512
"""Texts that are served with and without windows."""
METRICS = {
    "softmax": {
        "accuracy": "accuracy",
        "baseline": "baseline_accuracy",
        "frozen": "frozen_accuracy",
        "ece": "calibration_error",
        "review_accuracy": "review_accuracy",
        "review_share": "review_share",
    },
    "sigmoid": {
        **{score: score for score in ("micro_f1", "macro_f1", "all_right")},
        **{
            f"{rival}_{score}": f"{rival}_{score}"
            for rival in ("baseline", "frozen")
            for score in ("micro_f1", "macro_f1")
        },
        "ece": "calibration_error",
    },
}
"""Figures by the model's activation, and the metrics that they are."""
AT_PRECISION = {"precision_at_095": "micro_precision", "recall_at_095": "micro_recall"}

Run = Mapping[str, float]
"""Figures by name, of one seed."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A set to learn, and the file to score by; a part of `data` if there is none."""

    name: str
    data: Path
    test: Path | None = None
    each: int | None = None
    """Texts of a label that are learnt from, drawn anew for each seed; all of them if not given."""
    strange: Path | None = None
    """A table of another kind."""


def measure(problem: Problem, seed: int, folder: Path) -> Run:
    """Train once, and return its metrics and seconds, those of starting the program included."""
    data = problem.data if problem.each is None else _sampled(problem.data, problem.each, seed, folder)
    options = ["--data", str(data), "--seed", str(seed), "--name", NAME, "--force"]
    options += ["--test-data", str(problem.test)] if problem.test else []
    started = time.monotonic()
    manifest = _train(options, folder)
    seconds = time.monotonic() - started
    found = _figures(manifest, METRICS[manifest.activation]) | {"seconds": seconds}
    if manifest.activation == "sigmoid":
        found |= _figures(_train([*options, "--precision", str(PRECISION)], folder), AT_PRECISION)
    if problem.test and problem.strange and manifest.unfamiliar_above is not None:
        found |= aurocs(_version(manifest, folder), problem.test, problem.strange)
    return found


def windows_gain(data: Path, cut: Run, seed: int, folder: Path) -> Run:
    """What windows are worth on texts that are longer than the model reads, and what they cost: the accuracy of both
    ways in the same split, the gain, the seconds of both trainings, those of starting the program included, and texts
    per second when they are served.

    cut: what `measure` says of them with the same seed.
    """
    started = time.monotonic()
    options = ["--long", "mean", "--seed", str(seed), "--name", NAME, "--force"]
    manifest = _train(["--data", str(data), *options], folder)
    accuracy = manifest.metrics["accuracy"]
    return {
        "gain": accuracy - cut["accuracy"],
        "cut_accuracy": cut["accuracy"],
        "mean_accuracy": accuracy,
        "cut_seconds": cut["seconds"],
        "mean_seconds": time.monotonic() - started,
        "max_length": manifest.max_length,
        **texts_per_s(_version(manifest, folder), read_table(data).texts[:PRICED]),
    }


def _figures(manifest: Manifest, metrics: Mapping[str, str]) -> dict[str, float]:
    return {name: manifest.metrics[metric] for name, metric in metrics.items() if metric in manifest.metrics}


def _train(options: Sequence[str], folder: Path) -> Manifest:
    environment = {**os.environ, "RETORT_MODELS_DIR": str(folder / "models"), "RETORT_LOGS_DIR": str(folder / "logs")}
    command = [sys.executable, "-m", "training", "train", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    version = re.search(r"^current: (\S+)$", done.stdout, re.MULTILINE)
    if not version:
        raise SystemExit(done.stdout)
    return read_manifest(folder / "models" / NAME / version[1])


def _version(manifest: Manifest, folder: Path) -> Path:
    return folder / "models" / NAME / manifest.version


def _sampled(data: Path, each: int, seed: int, folder: Path) -> Path:
    """A file with so many texts of each label."""
    table = read_table(data)
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in zip(table.texts, table.labels, strict=True):
        by_label[label].append(text)
    generator = random.Random(seed)
    rows = [
        (text, label)
        for label in sorted(by_label)
        for text in generator.sample(by_label[label], min(each, len(by_label[label])))
    ]
    return _written(rows, table.read_by.label_column or "label", folder / f"sample_{each}_{seed}.csv")


def _written(rows: Iterable[tuple[str, str]], label_column: str, path: Path) -> Path:
    """A table whose labels are called as in the file that it is a sample of: so they are in the one to score by."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", label_column))
        writer.writerows(rows)
    return path
