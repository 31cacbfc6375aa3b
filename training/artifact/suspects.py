"""`report/suspects.csv`: rows of the table to look at, those that are most probably wrong first."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console

from training.artifact.trimmings import trimming
from training.data.encoded import EncodedCorpus
from training.evaluation.label_sets import named_sets
from training.evaluation.set_suspects import probabilities_of_marks, quality_of_marks, wrong_marks
from training.evaluation.suspects import (
    Merge,
    Suspect,
    mergeable_labels,
    near_duplicates,
    quality_of_labels,
    wrong_labels,
)
from training.fit.frozen import Frozen

FILE = "suspects.csv"
NO_LABEL = "(none)"
COLUMNS = ("file", "line", "text", "label", "suggested", "quality", "why")


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """What there is to be looked at."""

    rows: list[Suspect]
    own: Sequence[int]
    """Of each row of the table, the number of its label, or of its set of labels."""
    names: Sequence[str]
    """Of what those numbers, and the suggestions, stand for."""
    merges: list[Merge] = field(default_factory=list)


def find_suspects(data: EncodedCorpus, frozen: Frozen) -> Suspects:
    """Look at every row of the corpus; a row is named once, for the first reason."""
    if data.several:
        return _of_sets(data, frozen)
    labels, classes = data.labels, len(data.classes)
    probabilities, quality = quality_of_labels(frozen.features, labels, classes)
    wrong = wrong_labels(probabilities, labels, quality)
    near = near_duplicates(frozen.features, labels, data.texts, quality)
    merges = mergeable_labels(probabilities, labels)
    return Suspects(rows=_once(wrong, near), own=labels.tolist(), names=data.classes, merges=merges)


def _of_sets(data: EncodedCorpus, frozen: Frozen) -> Suspects:
    """Rows whose labels, some or other, speak against what was learnt from the rest, and near-duplicates."""
    marks = data.labels
    probabilities = probabilities_of_marks(frozen.features, marks)
    quality, flips = quality_of_marks(probabilities, marks), wrong_marks(probabilities, marks)
    sets, numbers = np.unique(np.vstack([marks, marks ^ flips]), axis=0, return_inverse=True)
    own, suggested = np.split(numbers.ravel().astype(np.int32), 2)
    rows = np.flatnonzero(flips.any(axis=1))
    wrong = [
        Suspect(row=int(row), suggested=int(suggested[row]), quality=float(quality[row]), why="other labels fit better")
        for row in rows[np.argsort(quality[rows], kind="stable")]
    ]
    near = near_duplicates(frozen.features, own, data.texts, quality)
    names = [", ".join(each) or NO_LABEL for each in named_sets(sets, data.classes)]
    return Suspects(rows=_once(wrong, near), own=own.tolist(), names=names)


def _once(wrong: list[Suspect], near: list[Suspect]) -> list[Suspect]:
    named = {suspect.row for suspect in wrong}
    return [*wrong, *(suspect for suspect in near if suspect.row not in named)]


def write_suspects(data: EncodedCorpus, frozen: Frozen, report: Path, console: Console) -> None:
    """Write the file to the report's folder and say what is in it; a fault here costs nothing but the file."""
    with trimming("suspects.csv", console):
        found = find_suspects(data, frozen)
        with (report / FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(
                (
                    *data.places[suspect.row],
                    data.texts[suspect.row],
                    found.names[found.own[suspect.row]],
                    found.names[suspect.suggested],
                    f"{suspect.quality:.4f}",
                    suspect.why,
                )
                for suspect in found.rows
            )
        console.print(f"{len(found.rows)} rows may have a wrong label: report/{FILE}", soft_wrap=True)
        for merge in found.merges[:3]:
            first, second = data.classes[merge.first], data.classes[merge.second]
            share = f"{merge.share:.0%} of their texts are taken for the other's"
            console.print(f"one label or two? {first!r} and {second!r}: {share}", soft_wrap=True)
