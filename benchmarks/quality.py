"""`python -m benchmarks.quality TABLE… [SET…]`: how good `train` is by itself, and how fast, on real tables.

Each table is trained on as a user would, by the command line with no option but columns and files, in a process of its
own and with another split for each of three seeds. A TABLE is a file or a folder of them; what it is called says what
is asked of it:

- `NAME_train.csv` with `NAME_test.csv` among the files: the second is scored, all of the first is learnt from; besides,
  samples of it with 10 and 5 texts a label, as `NAME_10` and `NAME_5`. In a copy of the first with 5% of the labels
  swapped at random, the suspects are looked for (`swapped`), and an epoch of it is timed (`speed`). If there is a third
  table, the model has to tell its texts from the second's.
- any other `NAME.csv` or `NAME_train.csv`: a tenth of it is held out; so it is of `examples/questions.csv`, which is
  always among them, with five seeds. Where texts may have several labels (also in `.jsonl`), another model is trained
  with `--precision 0.95`.

`benchmarks/quality.json` gets `<set>_accuracy`, `_baseline`, `_frozen`, `_ece` and `_seconds`, means over the seeds,
`<set>_spread`, the standard deviation of the first of them, and every run beside them; `review_accuracy_<set>` and
`review_share_<set>`, of the answers that nobody has to look at; of several labels `_micro_f1` and `_macro_f1` in place
of the accuracy, those of the baselines, and `_precision_at_095` with the recall that is left;
`windows_gain_16k` (the set `windows`), the accuracy on the 16k posts in windows of 256 tokens less that on their first
256 alone; `swapped_found`; `unfamiliar_auroc`, of the distances of texts that are not the model's kind against those
that are; and `training_speedup`, texts a second over those of the code before a commit (`--against`), by turns.
SETs, by the names of their figures, are all that is run if any is given; figures of sets that were not run stay.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import ROOT, Record, machine
from benchmarks.speedup import BEFORE, speedup
from benchmarks.swapped import swapped_found
from benchmarks.unfamiliar import auroc
from contract.artifact import Manifest, read_manifest
from training.data.table import read_table

RECORD = Record(ROOT / "benchmarks" / "quality.json", ROOT / "docs" / "training.md")
EXAMPLE = ROOT / "examples" / "questions.csv"
NAME = "quality"
"""Of the models."""
SEEDS, EXAMPLE_SEEDS = 3, 5
FEW = (10, 5)
PRECISION = 0.95
WINDOW = 256
"""Tokens of a window, and of what is read of a text that is cut off."""
LONG_TEXTS = "posts16k"
"""The set whose texts are longer than that."""
KNOWN = {
    "reuters_multilabel": "reuters",
    "stackoverflow_titles20": "titles20",
    "stackoverflow_16k": "posts16k",
    "questions": "example",
}
"""Short names of files that are called otherwise."""
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


Found = tuple[Mapping[str, float], Any]
"""Figures by name, and what they were made of."""
Part = Callable[[], Found]


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


def problems(files: Sequence[Path]) -> list[Problem]:
    """What the files' names ask for."""
    tests = {file.stem.removesuffix("_test"): file for file in files if file.stem.endswith("_test")}
    alone = [file for file in files if file not in tests.values() and file.stem.removesuffix("_train") not in tests]
    strange = next((file for file in alone if file != EXAMPLE), None)
    found: list[Problem] = []
    for file in files:
        stem = file.stem.removesuffix("_train")
        name = KNOWN.get(stem, stem)
        if file in tests.values():
            continue
        test = tests.get(stem)
        found.append(Problem(name=name, data=file, test=test, strange=strange if test else None))
        if stem in tests:
            found += [Problem(name=f"{name}_{each}", data=file, test=tests[stem], each=each) for each in FEW]
    return found


def measure(problem: Problem, seed: int, folder: Path) -> dict[str, float]:
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
        found["unfamiliar_auroc"] = auroc(_version(manifest, folder), problem.test, problem.strange)
    return found


def windows_gain(data: Path, seed: int, folder: Path) -> dict[str, float]:
    """What windows are worth on texts that are longer than the model reads, and what they cost: the accuracy of both
    ways in the same split, the gain, and the seconds of both, those of starting the program included."""
    found: dict[str, float] = {}
    for long in ("cut", "mean"):
        started = time.monotonic()
        options = ["--long", long, "--max-length", str(WINDOW), "--seed", str(seed), "--name", NAME, "--force"]
        found[f"{long}_accuracy"] = _train(["--data", str(data), *options], folder).metrics["accuracy"]
        found[f"{long}_seconds"] = time.monotonic() - started
    return found | {"gain": found["mean_accuracy"] - found["cut_accuracy"]}


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.split("\n")[0])
    parser.add_argument("asked", nargs="*", metavar="TABLE or SET", help="as the module's documentation says")
    parser.add_argument("--seeds", type=int, help=f"of each set; {SEEDS} if not given, {EXAMPLE_SEEDS} of the example")
    parser.add_argument("--against", default=BEFORE, help="a commit whose training is timed beside today's")
    chosen = parser.parse_args()
    tables = [Path(asked) for asked in chosen.asked if Path(asked).exists()]
    names = {asked for asked in chosen.asked if not Path(asked).exists()}
    parts = _parts([*_files(tables), EXAMPLE], chosen.seeds, chosen.against)
    if unknown := sorted(names - parts.keys()):
        parser.error(f"no table and no set: {', '.join(unknown)}; sets are {', '.join(parts)}")
    for name, part in parts.items():
        if not names or name in names:
            _save(name, *part())


def _files(tables: Sequence[Path]) -> list[Path]:
    return [file for table in tables for file in (_tables_in(table) if table.is_dir() else [table])]


def _tables_in(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.csv"), *folder.glob("*.jsonl")])


def _parts(files: Sequence[Path], seeds: int | None, commit: str) -> dict[str, Part]:
    """What there is to run, by name."""
    found = problems(files)
    parts: dict[str, Part] = {problem.name: partial(_trained, problem, seeds) for problem in found}
    if learnt := next((problem.data for problem in found if problem.test), None):
        parts["swapped"] = partial(_swapped_found, learnt, seeds or SEEDS)
        parts["speed"] = partial(_speedup, learnt, commit)
    if long := next((problem.data for problem in found if problem.name == LONG_TEXTS), None):
        parts["windows"] = partial(_windows_gain, long, seeds or SEEDS)
    return parts


def _windows_gain(data: Path, seeds: int) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        runs = [windows_gain(data, seed, Path(folder)) for seed in range(1, seeds + 1)]
    return {"windows_gain_16k": statistics.mean(run["gain"] for run in runs)}, runs


def _trained(problem: Problem, seeds: int | None) -> Found:
    count = seeds or (EXAMPLE_SEEDS if problem.data == EXAMPLE else SEEDS)
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(problem, seed, Path(folder)) for seed in range(1, count + 1)]
    figures = {_of(problem.name, name): value for name, value in _means(runs).items()}
    first = next(iter(runs[0]))
    spread = statistics.stdev(run[first] for run in runs) if count > 1 else 0.0
    return figures | {f"{problem.name}_spread": spread}, runs


def _means(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each figure over the runs that have it: where there is no bound for review, there is no figure."""
    names = dict.fromkeys(name for run in runs for name in run)
    return {name: statistics.mean(run[name] for run in runs if name in run) for name in names}


def _of(problem: str, name: str) -> str:
    """What a figure of a set is called."""
    if name == "unfamiliar_auroc":
        return name
    return f"{name}_{problem}" if name.startswith("review_") else f"{problem}_{name}"


def _swapped_found(data: Path, seeds: int) -> Found:
    shares = [swapped_found(data, seed) for seed in range(1, seeds + 1)]
    return {"swapped_found": statistics.mean(shares)}, shares


def _speedup(data: Path, commit: str) -> Found:
    ratio, seconds = speedup(data, commit)
    return {"training_speedup": ratio}, {"against": commit, "seconds": seconds}


def _save(part: str, figures: Mapping[str, float], details: Any) -> None:
    results = RECORD.load()
    results["figures"] |= {name: round(value, 4) for name, value in figures.items()}
    results["parts"][part] = {"machine": machine(), "details": details}
    RECORD.store(results)
    print(json.dumps({part: figures}), flush=True)


if __name__ == "__main__":
    main()
