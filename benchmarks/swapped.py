"""How many labels that were swapped at random are found by the suspects of a report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.data.table import Table, read_table

SWAPPED = 0.05
"""Share of the labels."""


def swapped_found(data: Path, seed: int) -> float:
    """Share of labels swapped at random, 5% of all, that are in the first 5% of the texts by how ill a label suits."""
    from training.evaluation.suspects import quality_of_labels
    from training.fit.device import best_precision
    from training.fit.features import frozen_features
    from training.pretrained import minilm

    table = read_table(data)
    base = minilm.load()
    examples, swapped = _swapped(table, base.text_tokenizer(128).encode(table.texts), seed)
    features = frozen_features(base, examples, buckets=4, precision=best_precision())["mean"]
    _, quality = quality_of_labels(features, examples.labels, len(table.classes))
    first = quality.argsort(kind="stable")[: len(swapped)]
    return len(set(first.tolist()) & swapped) / len(swapped)


def _swapped(table: Table, encoded: Sequence[Any], seed: int) -> tuple[Any, set[int]]:
    import numpy as np

    from training.data.batches import Examples

    number = {label: index for index, label in enumerate(table.classes)}
    labels = np.array([number[label] for label in table.labels], np.int32)
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(labels))[: round(SWAPPED * len(labels))]
    labels[rows] = (labels[rows] + generator.integers(1, len(number), len(rows))) % len(number)
    return Examples([text.ids for text in encoded], labels), set(rows.tolist())
