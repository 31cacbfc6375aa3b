"""The corpus as the model reads it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import windows as windowing
from contract.windows import LongReading, Windows
from training.data.batches import Examples
from training.data.data_report import DataReport, report_on
from training.data.label_form import LabelSet
from training.data.recipe import Recipe
from training.data.split import Rows, Split
from training.data.table import RowOrigin, Table
from training.hyperparameters import DataFacts
from training.pretrained.base_model import BaseModel

LONG_PERCENTILE = 95


@dataclass(frozen=True, kw_only=True)
class EncodedCorpus:
    """Every text of a recipe's corpus with its class, and which part it belongs to."""

    texts: list[str]
    classes: tuple[str, ...]
    examples: Examples
    parts: Split
    report: DataReport
    places: list[RowOrigin]
    long: LongReading = "cut"
    """How texts that are longer than the model are read."""

    @property
    def labels(self) -> NDArray[np.int32]:
        """Of each text: int32[texts], or int32[texts, classes]."""
        return self.examples.text_labels

    @property
    def several(self) -> bool:
        """Whether a text may have several labels."""
        return self.examples.labels.ndim > 1

    def part(self, rows: Rows) -> Examples:
        return self.examples.of_texts(rows)

    def texts_of(self, rows: Rows) -> list[str]:
        return [self.texts[row] for row in rows]


def data_facts(table: Table, base: BaseModel) -> DataFacts:
    """What the defaults of a run follow."""
    positions = base.architecture.longest_text
    encoded = base.text_tokenizer(positions).encode(table.texts)
    long_text = int(np.percentile([text.length for text in encoded], LONG_PERCENTILE, method="nearest"))
    return DataFacts(
        texts=len(table),
        texts_a_label=math.inf if table.several else len(table) / len(table.classes),
        long_text=long_text,
        hidden=base.architecture.hidden_size,
        positions=positions,
        why_frozen=base.why_frozen,
    )


def encode(recipe: Recipe, base: BaseModel) -> EncodedCorpus:
    """Tokenize the recipe's texts once, with the base model's vocabulary."""
    table = recipe.corpus.table
    max_length, long = recipe.parameters.max_length, recipe.parameters.long
    windows = windows_of(long, max_length)
    encoded = base.text_tokenizer(max_length).encode(table.texts, windows=windows, most=windowing.MOST)
    examples = Examples.in_windows([text.windows for text in encoded], label_numbers(table, table.classes))
    report = report_on(table, encoded, max_length, windows)
    return EncodedCorpus(
        texts=table.texts,
        classes=tuple(table.classes),
        examples=examples,
        parts=recipe.corpus.parts,
        report=report,
        places=table.places,
        long=long,
    )


def windows_of(long: LongReading, max_length: int) -> Windows | None:
    """The windows that longer texts are read in; None where they are cut off."""
    return None if long == "cut" else Windows.usual(long, max_length)


def label_numbers(table: Table, classes: Sequence[str]) -> NDArray[np.int32]:
    """int32[texts], the place of each text's label in `classes`; of several labels int32[texts, classes] of 0 and 1."""
    if table.several:
        return label_marks(table.label_sets, classes)
    number = {label: index for index, label in enumerate(classes)}
    return np.array([number[label] for label in table.labels], np.int32)


def label_marks(label_sets: Sequence[LabelSet], classes: Sequence[str]) -> NDArray[np.int32]:
    """int32[texts, classes], 1 for each label that a text has."""
    number = {label: index for index, label in enumerate(classes)}
    marks = np.zeros((len(label_sets), len(classes)), np.int32)
    for row, labels in enumerate(label_sets):
        marks[row, [number[label] for label in labels]] = 1
    return marks
