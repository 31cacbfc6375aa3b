"""`report/suspects.csv`: rows of the table to look at, those that are most probably wrong first."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from training.artifact.trimmings import trimming
from training.data.encoded import EncodedCorpus
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
COLUMNS = ("file", "line", "text", "label", "suggested", "quality", "why")


@dataclass(frozen=True)
class Suspects:
    """What there is to be looked at."""

    rows: list[Suspect] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)


def find_suspects(data: EncodedCorpus, frozen: Frozen) -> Suspects:
    """Look at every row of the corpus; a row is named once, for the first reason."""
    labels, classes = data.examples.labels, len(data.classes)
    probabilities, quality = quality_of_labels(frozen.features, labels, classes)
    wrong = wrong_labels(probabilities, labels, quality)
    named = {suspect.row for suspect in wrong}
    near = [s for s in near_duplicates(frozen.features, labels, data.texts, quality) if s.row not in named]
    return Suspects([*wrong, *near], mergeable_labels(probabilities, labels))


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
                    data.classes[data.examples.labels[suspect.row]],
                    data.classes[suspect.suggested],
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
