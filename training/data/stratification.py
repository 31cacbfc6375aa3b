"""Dividing texts with several labels each: iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011).

The rarest label goes first: each of its texts to the part that lacks most texts of the label, then most texts at all.
What frequent labels are missing afterwards there are texts enough to make up for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.data.label_form import LabelSet


@dataclass(frozen=True)
class Unit:
    """Rows that stay together, and the labels that any of them has."""

    rows: list[int]
    labels: LabelSet


def stratify(units: Sequence[Unit], shares: Sequence[float], seed: int) -> list[list[int]]:
    """The rows of each part, which is to have such a share of the texts and of each label's texts.

    A part whose share is 0 gets none. The first part has a text of every label.
    """
    generator = np.random.default_rng(seed)
    units = [units[index] for index in generator.permutation(len(units))]
    division = _Division(units, [part for part, share in enumerate(shares) if share > 0], shares)
    left = dict.fromkeys(range(len(units)))
    while counts := Counter(label for index in left for label in units[index].labels):
        rarest = min(counts, key=lambda label: (counts[label], label))
        for index in [index for index in left if rarest in units[index].labels]:
            del left[index]
            division.give(units[index], division.lacking(rarest))
    for index in left:
        division.give(units[index], division.lacking(None))
    division.complete_first()
    return [[row for unit in part for row in unit.rows] for part in division.parts]


class _Division:
    """Units that were given to parts, and how many texts of each label, and (None) at all, every part still lacks."""

    def __init__(self, units: Sequence[Unit], takers: Sequence[int], shares: Sequence[float]) -> None:
        self._takers = takers
        self.parts: list[list[Unit]] = [[] for _ in shares]
        counts = Counter(label for unit in units for label in (*unit.labels, None) for _ in unit.rows)
        self._lack = [{label: share * count for label, count in counts.items()} for share in shares]

    def lacking(self, label: str | None) -> int:
        """The part that lacks most texts of the label; of equals the one that lacks most texts, then the first."""
        return max(self._takers, key=lambda part: (self._lack[part][label], self._lack[part][None]))

    def give(self, unit: Unit, part: int) -> None:
        self.parts[part].append(unit)
        for label in (*unit.labels, None):
            self._lack[part][label] -= len(unit.rows)

    def complete_first(self) -> None:
        """Move a unit of each label that the first part has no text of to the first part."""
        known = {label for unit in self.parts[0] for label in unit.labels}
        for part in self.parts[1:]:
            for unit in list(part):
                if not known.issuperset(unit.labels):
                    part.remove(unit)
                    self.parts[0].append(unit)
                    known.update(unit.labels)
