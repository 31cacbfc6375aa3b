"""Dividing the texts into parts for training, validation and test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.data.label_form import LabelSet
from training.data.stratification import Unit, stratify
from training.data.table import Table, normalized

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of each part, ascending; together every row once."""

    train: Rows
    validation: Rows
    test: Rows

    def with_rows(self, part: str, rows: Rows) -> Split:
        """The same with other rows for `part`."""
        return replace(self, **{part: rows})


def split(table: Table, validation: float, test: float, seed: int) -> Split:
    """Divide the rows into parts with such shares for validation and test, stratified by label and seeded."""
    if table.several:
        return split_sets(table.texts, table.label_sets, validation, test, seed)
    return split_labels(table.texts, table.labels, validation, test, seed)


def split_sets(
    texts: Sequence[str], label_sets: Sequence[LabelSet], validation: float, test: float, seed: int
) -> Split:
    """Of texts with any number of labels: each label has its share in every part, as far as its texts suffice.

    Texts that differ only in case and white space stay on one side. The training part has a text of every label.
    """
    units = [
        Unit(rows, tuple(sorted({label for row in rows for label in label_sets[row]})))
        for rows in _equal_texts(texts).values()
    ]
    parts = stratify(units, (1 - validation - test, validation, test), seed)
    return Split(*(np.array(sorted(part), np.int64) for part in parts))


def split_labels(texts: Sequence[str], labels: Sequence[str], validation: float, test: float, seed: int) -> Split:
    """Of texts with one label each. Texts that differ only in case and white space stay on one side.

    A label with a single text is in the training part only; one with more texts has at least one there. What a label
    has too few texts for, a later one makes up, so that five texts a label still give a tenth for validation.
    """
    groups = _groups_by_label(texts, labels)
    generator = np.random.default_rng(seed)
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    due = {"validation": 0.0, "test": 0.0}
    for label in sorted(groups):
        same = groups[label]
        shuffled = [same[index] for index in generator.permutation(len(same))]
        count = sum(map(len, same))
        due = {"validation": due["validation"] + count * validation, "test": due["test"] + count * test}
        divided = _divide(shuffled, round(due["validation"]), round(due["test"]))
        due = {"validation": due["validation"] - len(divided[1]), "test": due["test"] - len(divided[2])}
        for part, rows in zip(parts, divided, strict=True):
            part.extend(rows)
    return Split(*(np.array(sorted(part), np.int64) for part in parts))


def _equal_texts(texts: Sequence[str]) -> dict[str, list[int]]:
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(texts):
        rows_of[normalized(text)].append(row)
    return rows_of


def _groups_by_label(texts: Sequence[str], labels: Sequence[str]) -> dict[str, list[list[int]]]:
    """Rows of equal text together, under the label that most of them have."""
    groups: dict[str, list[list[int]]] = defaultdict(list)
    for rows in _equal_texts(texts).values():
        groups[Counter(labels[row] for row in rows).most_common(1)[0][0]].append(rows)
    return groups


def _divide(groups: list[list[int]], validation: int, test: int) -> tuple[list[int], list[int], list[int]]:
    """The first group to training, then whole groups to test and to validation up to so many rows, then training."""
    training, validating, testing = list(groups[0]), list[int](), list[int]()
    for rows in groups[1:]:
        if len(testing) + len(rows) <= test:
            testing += rows
        elif len(validating) + len(rows) <= validation:
            validating += rows
        else:
            training += rows
    return training, validating, testing
