"""How a classifier that was fine-tuned elsewhere does on labelled texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from contract.artifact import Provenance
from training.artifact.held_out import REPORT
from training.artifact.report import write_report
from training.data.encoded import label_marks, label_numbers
from training.data.table import Table
from training.errors import BadData
from training.evaluation.calibration import Floats
from training.evaluation.labelling import HeldOut, labelling
from training.evaluation.other import learnt_other, other_scores

SEED = 1


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """An imported model on labelled texts: calibrated, and its bounds chosen, by one half, scored on the other."""

    labels: tuple[str, ...]
    held: HeldOut
    calibrated_on: int
    metrics: Mapping[str, float]
    choices: tuple[str, ...]

    @property
    def manifest_fields(self) -> Mapping[str, Any]:
        """What a manifest says of how the scores are computed and read, and of how good they are."""
        return {**self.held.manifest_fields, "calibrated_on": self.calibrated_on, "metrics": dict(self.metrics)}

    def write_report(self, name: str, provenance: Provenance, artifact: Path, console: Console) -> None:
        """Write the report that training writes to the folder of an artifact of the model `name`."""
        reported = _Reported(
            name=name,
            provenance=provenance,
            labels=self.labels,
            held=self.held,
            metrics=self.metrics,
            choices=self.choices,
        )
        write_report(reported, None, None, artifact / REPORT, console)


@dataclass(frozen=True, kw_only=True)
class _Reported:
    """What the page of the report is made of."""

    name: str
    provenance: Provenance
    labels: tuple[str, ...]
    held: HeldOut
    metrics: Mapping[str, float]
    choices: tuple[str, ...]


def evaluate(
    table: Table, labels: Sequence[str], activation: str, logits: Callable[[Sequence[str]], Floats]
) -> Evaluation:
    """Calibrate, and choose the bounds, by one half of the texts, drawn at random, and keep the other for the scores.

    `logits` gives float32[texts, labels]. Raises BadData when the table does not suit the model's labels.
    """
    several = activation == "sigmoid"
    if table.several and not several:
        raise BadData("a model of one label a text can't be evaluated on a table with several")
    if unknown := sorted({*table.classes, *filter(None, [table.other])} - set(labels)):
        raise BadData(f"the model has no label {', '.join(map(repr, unknown))}; it has {', '.join(labels)}")
    if len(table) < 2:
        raise BadData("a single text is too few to evaluate on")
    right = label_marks(table.label_sets, labels) if several else label_numbers(table, labels)
    found = logits(table.texts)
    order = np.random.default_rng(SEED).permutation(len(table))
    fitted, kept = order[: len(order) // 2], np.sort(order[len(order) // 2 :])
    way = labelling(several)
    held = way.held_out([table.texts[row] for row in kept], right[kept], found[kept], (found[fitted], right[fitted]))
    metrics = way.metrics(held) | other_scores(held, labels, table.other) | {"test_texts": float(len(kept))}
    return Evaluation(
        labels=tuple(labels),
        held=held,
        calibrated_on=len(fitted) if held.is_calibrated else 0,
        metrics=metrics,
        choices=(*learnt_other(table.other, metrics), *way.choices(held, metrics)),
    )
