"""The table as the model reads it: tokenized once, divided into parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.base_model import BaseModel
from training.batches import Examples
from training.recipe import Recipe
from training.split import Rows, Split, split
from training.tokenization import TextTokenizer


@dataclass(frozen=True)
class Encoded:
    """Every text of a recipe's table with its class, and which part it belongs to."""

    texts: list[str]
    classes: tuple[str, ...]
    examples: Examples
    parts: Split

    def part(self, rows: Rows) -> Examples:
        return Examples([self.examples.ids[row] for row in rows], self.examples.labels[rows])

    def texts_of(self, rows: Rows) -> list[str]:
        return [self.texts[row] for row in rows]


def encode(recipe: Recipe, base: BaseModel) -> Encoded:
    """Tokenize the recipe's table with the base model's vocabulary, and divide it."""
    table, parameters = recipe.table, recipe.parameters
    number = {label: index for index, label in enumerate(table.classes)}
    ids = TextTokenizer(base.vocabulary, base.tokenizer).encode(table.texts, parameters.max_length)
    examples = Examples(ids, np.array([number[label] for label in table.labels], np.int32))
    parts = split(table.texts, table.labels, parameters.validation, parameters.test, parameters.seed)
    return Encoded(table.texts, tuple(table.classes), examples, parts)
