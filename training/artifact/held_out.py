"""The held-out texts of a version with its answers, as they lie in its artifact: `report/held_out.jsonl`.

One JSON object a line: `text`, its true `label`, or `labels` where it may have several, and `probabilities`, float32,
one per label of the manifest in order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.evaluation.label_sets import HeldOutSets
from training.evaluation.labelling import HeldOut

REPORT = "report"
FILE = "held_out.jsonl"


@dataclass(frozen=True)
class HeldOutAnswer:
    """A held-out text, its true labels, and the probability of each label."""

    text: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]


def write(held: HeldOut, labels: Sequence[str], report: Path) -> None:
    """Write the answers to the report folder of an artifact of a model with these labels."""
    with (report / FILE).open("w", encoding="utf-8") as file:
        for text, own, row in zip(held.texts, held.label_sets(labels), held.probabilities, strict=True):
            true = {"labels": own} if isinstance(held, HeldOutSets) else {"label": own[0]}
            # By their text, which has as many digits as a float32 needs: half of those of the same number as a float64.
            line = {"text": text, **true, "probabilities": [float(str(p)) for p in row]}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(artifact: Path) -> list[HeldOutAnswer]:
    """The answers in an artifact; none when it was made without a report."""
    path = artifact / REPORT / FILE
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [
        HeldOutAnswer(
            line["text"],
            tuple(line["labels"]) if "labels" in line else (line["label"],),
            tuple(np.array(line["probabilities"], np.float32).tolist()),
        )
        for line in lines
    ]
