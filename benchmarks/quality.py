"""`python -m benchmarks.quality FILE…`: how good `train` is by itself, and how fast, on real tables.

Each file is trained on as a user would, by the command line with no option but columns and files, in a process of its
own and with another split for each of three seeds. What a file is called says what is asked of it:

- `NAME_train.csv` with `NAME_test.csv` among the files: the second is scored, all of the first is learnt from; besides,
  samples of it with 10 and 5 texts a label, as `NAME_10` and `NAME_5`. In a copy of the first with 5% of the labels
  swapped at random, the suspects are looked for.
- any other `NAME.csv`: a tenth of it is held out.

`benchmarks/quality.json` gets `<set>_accuracy`, `_baseline`, `_frozen`, `_ece` and `_seconds`, means over the seeds,
with every run beside them. `--set NAME` takes only that set, `--seeds N` fewer or more seeds; figures of sets that were
not run stay. `--against FOLDER`, a checkout of an older release, adds `training_speedup`: texts a second in our steps
over those of the older ones, by turns.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.record import ROOT, Record, machine
from contract.artifact import read_manifest
from training.data.table import Table, read_table

RECORD = Record(ROOT / "benchmarks" / "quality.json", ROOT / "docs" / "training.md")
SEEDS = 3
FEW = (10, 5)
SWAPPED = 0.05
KNOWN = {"stackoverflow_titles20": "titles20", "stackoverflow_16k": "posts16k", "questions": "example"}
"""Short names of files that are called otherwise."""
METRICS = {
    "accuracy": "accuracy",
    "baseline": "baseline_accuracy",
    "frozen": "frozen_accuracy",
    "ece": "calibration_error",
}
TURNS = 3


@dataclass(frozen=True)
class Problem:
    """A set to learn, and the file to score by; a part of `data` if there is none."""

    name: str
    data: Path
    test: Path | None = None
    each: int | None = None
    """Texts of a label that are learnt from, drawn anew for each seed; all of them if not given."""


def problems(files: Sequence[Path]) -> list[Problem]:
    """What the files' names ask for."""
    tests = {file.stem.removesuffix("_test"): file for file in files if file.stem.endswith("_test")}
    found: list[Problem] = []
    for file in files:
        stem = file.stem.removesuffix("_train")
        name = KNOWN.get(stem, stem)
        if file in tests.values():
            continue
        found.append(Problem(name, file, tests.get(stem)))
        if stem in tests:
            found += [Problem(f"{name}_{each}", file, tests[stem], each) for each in FEW]
    return found


def measure(problem: Problem, seed: int, folder: Path) -> dict[str, float]:
    """Train once, and return its metrics and seconds, those of starting the program included."""
    data = problem.data if problem.each is None else _sampled(problem.data, problem.each, seed, folder)
    options = ["--data", str(data), "--seed", str(seed), "--name", "quality", "--force"]
    options += ["--test-data", str(problem.test)] if problem.test else []
    started = time.monotonic()
    done = _train(options, folder)
    seconds = time.monotonic() - started
    version = re.search(r"^current: (\S+)$", done, re.MULTILINE)
    if not version:
        raise SystemExit(done)
    metrics = read_manifest(folder / "models" / "quality" / version[1]).metrics
    return {name: metrics[metric] for name, metric in METRICS.items() if metric in metrics} | {"seconds": seconds}


def _train(options: Sequence[str], folder: Path) -> str:
    environment = {**os.environ, "RETORT_MODELS_DIR": str(folder / "models"), "RETORT_LOGS_DIR": str(folder / "logs")}
    command = [sys.executable, "-m", "training", "train", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def _sampled(data: Path, each: int, seed: int, folder: Path) -> Path:
    """A file with so many texts of each label."""
    table = read_table(data)
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in zip(table.texts, table.labels, strict=True):
        by_label[label].append(text)
    generator = random.Random(seed)
    rows = [(text, label) for label in sorted(by_label) for text in generator.sample(by_label[label], each)]
    return _written(rows, folder / f"sample_{each}_{seed}.csv")


def _written(rows: Iterable[tuple[str, str]], path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("post", "tags"))
        writer.writerows(rows)
    return path


def swapped_found(data: Path, seed: int) -> float:
    """Share of labels swapped at random, 5% of all, that are in the first 5% of the texts by how ill a label suits."""
    from training.evaluation.suspects import quality_of_labels
    from training.fit.device import best_precision
    from training.fit.features import frozen_features
    from training.pretrained import minilm

    table = read_table(data)
    base = minilm.load()
    examples, swapped = _swapped(table, base.text_tokenizer(128).encode(table.texts), seed)
    features = frozen_features(base, examples, buckets=4, precision=best_precision())["mean"]
    _, quality = quality_of_labels(features, examples.labels, len(table.classes))
    first = quality.argsort(kind="stable")[: len(swapped)]
    return len(set(first.tolist()) & swapped) / len(swapped)


def _swapped(table: Table, encoded: Sequence[Any], seed: int) -> tuple[Any, set[int]]:
    import numpy as np

    from training.data.batches import Examples

    number = {label: index for index, label in enumerate(table.classes)}
    labels = np.array([number[label] for label in table.labels], np.int32)
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(labels))[: round(SWAPPED * len(labels))]
    labels[rows] = (labels[rows] + generator.integers(1, len(number), len(rows))) % len(number)
    return Examples([text.ids for text in encoded], labels), set(rows.tolist())


def speedup(data: Path, older: Path) -> float:
    """Texts a second of our training steps over those of an older checkout: medians of turns."""
    rates: dict[Path, list[float]] = {older: [], ROOT: []}
    with tempfile.TemporaryDirectory() as folder:
        table = read_table(data)
        copy = _written(zip(table.texts, table.labels, strict=True), Path(folder) / data.name)
        command = [sys.executable, "-m", "benchmarks.training", str(copy), "64"]
        for _ in range(TURNS):
            for root, found in rates.items():
                done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
                found.append(json.loads(done.stdout)["texts_per_second"])
    return statistics.median(rates[ROOT]) / statistics.median(rates[older])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="tables, as the module's documentation says")
    parser.add_argument("--set", action="append", dest="names", help="only this set; more than once for several")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--against", type=Path, help="a checkout of an older release")
    chosen = parser.parse_args()
    for problem in problems(chosen.files):
        if chosen.names and problem.name not in chosen.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            runs = [measure(problem, seed, Path(folder)) for seed in range(1, chosen.seeds + 1)]
        figures = {f"{problem.name}_{name}": statistics.mean(run[name] for run in runs) for name in runs[0]}
        _save(problem.name, figures, runs)
    learnt = next((problem.data for problem in problems(chosen.files) if problem.test), None)
    if learnt and (not chosen.names or "swapped" in chosen.names):
        found = [swapped_found(learnt, seed) for seed in range(1, chosen.seeds + 1)]
        _save("swapped", {"swapped_found": statistics.mean(found)}, found)
    if learnt and chosen.against:
        _save("speed", {"training_speedup": speedup(learnt, chosen.against)}, str(chosen.against.name))


def _save(part: str, figures: dict[str, float], runs: Any) -> None:
    results = RECORD.load()
    results["figures"] |= {name: round(value, 4) for name, value in figures.items()}
    results["parts"][part] = {"machine": machine(), "details": runs}
    RECORD.store(results)
    print(json.dumps({part: figures}), flush=True)


if __name__ == "__main__":
    main()
