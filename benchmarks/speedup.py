"""How much faster fine-tuning is than by the code of an older commit, by turns on the same texts."""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks.record import ROOT
from training.data.encoded import label_numbers
from training.data.table import read_table
from training.fit.device import best_precision
from training.pretrained import minilm

BEFORE = "e29cc4d"
"""The last commit at which a step computed padded batches."""
TEXTS, MAX_LENGTH, TURNS = 320, 64, 5


class Arm:
    """A process that fine-tunes by the code in `root`, when it is its turn."""

    def __init__(self, root: Path, examples: Path, precision: str) -> None:
        command = [sys.executable, "-P", str(ROOT / "benchmarks" / "training_arm.py"), str(examples), precision]
        environment = {**os.environ, "PYTHONPATH": str(root)}
        self._process = subprocess.Popen(
            command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Arm:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def seconds(self) -> float:
        """What an epoch takes."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("it was started with pipes")
        print(file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"an arm of the benchmark ended: {self._process.wait()}")
        return float(line)


def speedup(data: Path, commit: str = BEFORE) -> tuple[float, dict[str, list[float]]]:
    """The ratio of the medians of both arms' turns, and the seconds of each turn; the first ones compile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        older = folder / "older"
        _check_out(commit, older)
        _write_examples(data, folder / "examples.npz")
        arms = {
            name: stack.enter_context(Arm(root, folder / "examples.npz", best_precision()))
            for name, root in (("before", older), ("now", ROOT))
        }
        turns = [{name: arm.seconds() for name, arm in arms.items()} for _ in range(TURNS + 1)][1:]
    seconds = {name: [turn[name] for turn in turns] for name in arms}
    return statistics.median(seconds["before"]) / statistics.median(seconds["now"]), seconds


def _check_out(commit: str, folder: Path) -> None:
    packed = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as files:
        files.extractall(folder, filter="data")


def _write_examples(data: Path, path: Path) -> None:
    table = read_table(data)
    rows = np.random.default_rng(0).permutation(len(table))[:TEXTS]
    encoded = minilm.load().text_tokenizer(MAX_LENGTH).encode([table.texts[row] for row in rows])
    ids = np.zeros((len(rows), MAX_LENGTH), np.int32)
    for row, text in zip(ids, encoded, strict=True):
        row[: len(text.ids)] = text.ids
    np.savez(path, ids=ids, labels=label_numbers(table, table.classes)[rows])
