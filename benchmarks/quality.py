"""`python -m benchmarks.quality TABLE… [SET…]`: how good `train` is by itself, and how fast, on real tables.

Each table is trained on as a user would, by the command line with no option but columns and files, in a process of its
own and with another split for each of three seeds. A TABLE is a file or a folder of them; what it is called says what
is asked of it:

- `NAME_train.csv` with `NAME_test.csv` among the files: the second is scored, all of the first is learnt from; besides,
  samples of it with 10 and 5 texts a label, as `NAME_10` and `NAME_5`. In a copy of the first with 5% of the labels
  swapped at random, the suspects are looked for (`swapped`), and an epoch of it is timed (`speed`). If there is a third
  table, the model has to tell its texts from the second's; of several, the titles' or else the first.
- any other `NAME.csv` or `NAME_train.csv`: a tenth of it is held out; so it is of `examples/questions.csv`, which is
  always among them, with five seeds. Where texts may have several labels (also in `.jsonl`), another model is trained
  with `--precision 0.95`.

`benchmarks/quality.json` gets `<set>_accuracy`, `_baseline`, `_frozen`, `_ece` and `_seconds`, means over the seeds,
`<set>_spread`, the standard deviation of the first of them, and every run beside them; `review_accuracy_<set>` and
`review_share_<set>`, of the answers that nobody has to look at; of several labels `_micro_f1` and `_macro_f1` in place
of the accuracy, those of the baselines, and `_precision_at_095` with the recall that is left;
`windows_gain_16k` (the set `windows`), the accuracy on the 16k posts in windows of 256 tokens less that on their first
256 alone, which is that of the set itself, by the run on record if there is one of the same seed; `swapped_found`;
`unfamiliar_auroc`, of the distances of texts that are not the model's kind against those that are, and
`unfamiliar_auroc_energy`, of the energies of their logits; and `training_speedup`, texts a second over those of the
code before a commit (`--against`), by turns.
SETs, by the names of their figures, are all that is run if any is given; figures of sets that were not run stay. Every
run is kept as soon as it has ended: `--seed` adds that one, or puts it in the place of the one that was there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.quality_run import Problem, Run, measure, windows_gain
from benchmarks.record import ROOT, Record, machine
from benchmarks.speedup import BEFORE, speedup
from benchmarks.swapped import swapped_found

RECORD = Record(ROOT / "benchmarks" / "quality.json", ROOT / "docs" / "training.md")
EXAMPLE = ROOT / "examples" / "questions.csv"
SEEDS, EXAMPLE_SEEDS = 3, 5
FEW = (10, 5)
LONG_TEXTS = "posts16k"
"""The set whose texts are longer than that."""
STRANGE = "titles20"
"""The set whose texts are another kind than those of the others; they are as short."""
KNOWN = {
    "reuters_multilabel": "reuters",
    "stackoverflow_titles20": "titles20",
    "stackoverflow_16k": "posts16k",
    "questions": "example",
}
"""Short names of files that are called otherwise."""
Found = tuple[Mapping[str, float], Any]
"""Figures by name, and what they were made of."""
Part = Callable[[], Iterable[Found]]
"""Measures, and says after every run what there is by then."""


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Which runs are asked for: the first `count` seeds, or one alone."""

    count: int | None = None
    only: int | None = None

    def of(self, usual: int) -> Sequence[int]:
        """The seeds; the first `usual` ones if nothing was asked for."""
        return (self.only,) if self.only is not None else range(1, (self.count or usual) + 1)


def problems(files: Sequence[Path]) -> list[Problem]:
    """What the files' names ask for."""
    tests = {file.stem.removesuffix("_test"): file for file in files if file.stem.endswith("_test")}
    alone = [file for file in files if file not in tests.values() and file.stem.removesuffix("_train") not in tests]
    others = [file for file in alone if file != EXAMPLE]
    strange = next((file for file in others if _name(file) == STRANGE), others[0] if others else None)
    found: list[Problem] = []
    for file in files:
        if file in tests.values():
            continue
        stem, name = file.stem.removesuffix("_train"), _name(file)
        test = tests.get(stem)
        found.append(Problem(name=name, data=file, test=test, strange=strange if test else None))
        if stem in tests:
            found += [Problem(name=f"{name}_{each}", data=file, test=tests[stem], each=each) for each in FEW]
    return found


def _name(file: Path) -> str:
    stem = file.stem.removesuffix("_train")
    return KNOWN.get(stem, stem)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.split("\n")[0])
    parser.add_argument("asked", nargs="*", metavar="TABLE or SET", help="as the module's documentation says")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, help=f"of each set; {SEEDS} if not given, {EXAMPLE_SEEDS} of the example")
    which.add_argument("--seed", type=int, help="only this one, beside those on record")
    parser.add_argument("--against", default=BEFORE, help="a commit whose training is timed beside today's")
    chosen = parser.parse_args()
    tables = [Path(asked) for asked in chosen.asked if Path(asked).exists()]
    names = {asked for asked in chosen.asked if not Path(asked).exists()}
    seeds = Seeds(count=chosen.seeds, only=chosen.seed)
    parts = _parts([*_files(tables), EXAMPLE], seeds, chosen.against)
    if unknown := sorted(names - parts.keys()):
        parser.error(f"no table and no set: {', '.join(unknown)}; sets are {', '.join(parts)}")
    for name, part in parts.items():
        if not names or name in names:
            for figures, details in part():
                _save(name, figures, details)


def _files(tables: Sequence[Path]) -> list[Path]:
    return [file for table in tables for file in (_tables_in(table) if table.is_dir() else [table])]


def _tables_in(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.csv"), *folder.glob("*.jsonl")])


def _parts(files: Sequence[Path], seeds: Seeds, commit: str) -> dict[str, Part]:
    """What there is to run, by name."""
    found = problems(files)
    parts: dict[str, Part] = {problem.name: partial(_trained, problem, seeds) for problem in found}
    if learnt := next((problem.data for problem in found if problem.test), None):
        parts["swapped"] = partial(_swapped_found, learnt, seeds)
        parts["speed"] = partial(_speedup, learnt, commit)
    if long := next((problem for problem in found if problem.name == LONG_TEXTS), None):
        parts["windows"] = partial(_windows_gain, long, seeds)
    return parts


def _runs(part: str, run: Callable[[int, Path], Run], seeds: Seeds, usual: int) -> Iterator[list[Run]]:
    """Run each seed, and yield after each all runs that count, in the order of their seeds."""
    by_seed = {} if seeds.only is None else _on_record(part)
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds.of(usual):
            by_seed[seed] = {"seed": seed, **run(seed, Path(folder))}
            yield [by_seed[each] for each in sorted(by_seed)]


def _on_record(part: str) -> dict[int, Run]:
    """By seed."""
    return {run["seed"]: run for run in RECORD.load()["parts"].get(part, {}).get("details", [])}


def _windows_gain(problem: Problem, seeds: Seeds) -> Iterator[Found]:
    def gain(seed: int, folder: Path) -> Run:
        cut = _on_record(problem.name).get(seed) or measure(problem, seed, folder)
        return windows_gain(problem.data, cut, seed, folder)

    for runs in _runs("windows", gain, seeds, SEEDS):
        yield {"windows_gain_16k": statistics.mean(run["gain"] for run in runs)}, runs


def _swapped_found(data: Path, seeds: Seeds) -> Iterator[Found]:
    for runs in _runs("swapped", lambda seed, _folder: {"found": swapped_found(data, seed)}, seeds, SEEDS):
        yield {"swapped_found": statistics.mean(run["found"] for run in runs)}, runs


def _trained(problem: Problem, seeds: Seeds) -> Iterator[Found]:
    usual = EXAMPLE_SEEDS if problem.data == EXAMPLE else SEEDS
    for runs in _runs(problem.name, partial(measure, problem), seeds, usual):
        figures = {_of(problem.name, name): value for name, value in _means(runs).items()}
        first = next(name for name in runs[0] if name != "seed")
        spread = statistics.stdev(run[first] for run in runs) if len(runs) > 1 else 0.0
        yield figures | {f"{problem.name}_spread": spread}, runs


def _means(runs: Sequence[Run]) -> dict[str, float]:
    """The mean of each figure over the runs that have it: where there is no bound for review, there is no figure."""
    names = dict.fromkeys(name for run in runs for name in run if name != "seed")
    return {name: statistics.mean(run[name] for run in runs if name in run) for name in names}


def _of(problem: str, name: str) -> str:
    """What a figure of a set is called."""
    if name.startswith("unfamiliar_auroc"):
        return name
    return f"{name}_{problem}" if name.startswith("review_") else f"{problem}_{name}"


def _speedup(data: Path, commit: str) -> Iterator[Found]:
    ratio, seconds = speedup(data, commit)
    yield {"training_speedup": ratio}, {"against": commit, "seconds": seconds}


def _save(part: str, figures: Mapping[str, float], details: Any) -> None:
    results = RECORD.load()
    results["figures"] |= {name: round(value, 4) for name, value in figures.items()}
    results["parts"][part] = {"machine": machine(), "details": details}
    RECORD.store(results)
    print(json.dumps({part: figures}), flush=True)


if __name__ == "__main__":
    main()
