"""How a classifier that was fine-tuned elsewhere does on labelled texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.data.table import Table
from training.errors import BadData
from training.evaluation.calibration import Floats, fit_temperature
from training.evaluation.evaluate import HeldOutPredictions, scores

SEED = 1


@dataclass(frozen=True)
class Evaluation:
    """How an imported model does on labelled texts: temperature from one half of them, scores from the other."""

    temperature: float
    calibrated_on: int
    held: HeldOutPredictions

    @property
    def metrics(self) -> dict[str, float]:
        return scores(self.held) | {"test_texts": float(len(self.held.texts))}


def evaluate(
    table: Table, labels: Sequence[str], activation: str, logits: Callable[[Sequence[str]], Floats]
) -> Evaluation:
    """Fit the temperature on one half of the texts, drawn at random, and keep the other for the scores.

    `logits` gives float32[texts, labels]. Raises BadData when the table has labels that the model does not.
    """
    if activation == "sigmoid":
        raise BadData("a model of several labels a text can't be evaluated on a table with one label a text")
    if table.several:
        raise BadData("a model of one label a text can't be evaluated on a table with several")
    number = {label: index for index, label in enumerate(labels)}
    if unknown := sorted(set(table.labels) - number.keys()):
        raise BadData(f"the model has no label {', '.join(map(repr, unknown))}; it has {', '.join(labels)}")
    if len(table) < 2:
        raise BadData("a single text is too few to evaluate on")
    right = np.array([number[label] for label in table.labels], np.int32)
    found = logits(table.texts)
    order = np.random.default_rng(SEED).permutation(len(table))
    fitted, kept = order[: len(order) // 2], np.sort(order[len(order) // 2 :])
    temperature = fit_temperature(found[fitted], right[fitted])
    texts = [table.texts[row] for row in kept]
    held = HeldOutPredictions(texts=texts, labels=right[kept], logits=found[kept], temperature=temperature)
    return Evaluation(temperature, len(fitted), held)
