"""The held-out texts of a version with its answers, as they lie in its artifact: `report/held_out.jsonl`.

One JSON object a line: `text`, its true `label`, and `probabilities`, float32, one per label of the manifest in order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPORT = "report"
FILE = "held_out.jsonl"


@dataclass(frozen=True)
class HeldOutAnswer:
    """A held-out text, its true label, and the probability of each label."""

    text: str
    label: str
    probabilities: tuple[float, ...]


def write(texts: Sequence[str], labels: Sequence[str], probabilities: NDArray[np.floating], report: Path) -> None:
    """Write the answers to the report folder of an artifact; `probabilities` float32[texts, labels]."""
    with (report / FILE).open("w", encoding="utf-8") as file:
        for text, label, row in zip(texts, labels, probabilities, strict=True):
            line = {"text": text, "label": label, "probabilities": [float(p) for p in row]}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def read(artifact: Path) -> list[HeldOutAnswer]:
    """The answers in an artifact; none when it was made without a report."""
    path = artifact / REPORT / FILE
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    return [HeldOutAnswer(line["text"], line["label"], tuple(line["probabilities"])) for line in lines]
