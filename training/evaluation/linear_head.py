"""A linear layer on the features of a frozen encoder: a model by itself, and where fine-tuning starts from.

Logistic regression, for its probabilities and because it won: on 5 and 10 texts a label of intents over ridge
regression and shrunk discriminants by 0.01 to 0.05 accuracy. It is fitted on features of unit length, as sentence
encoders were trained to be compared, and served on the same divided by their mean length, so that it stays linear.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

MOST_STEPS, TOLERANCE = 300, 1e-4
FEWEST_STEPS, MOST_ROUGH_STEPS, ROUGH_WORK = 20, 100, 1e8
"""A rough fit takes fewer steps where texts times classes are many: some ten seconds at most."""
ABSENT = -20.0
"""Bias of a class that no text of the fit has."""


@dataclass(frozen=True)
class LinearHead:
    """`weight` float32[classes, hidden] and `bias` float32[classes], as a classifier's layer has them."""

    weight: Floats
    bias: Floats

    def logits(self, features: Floats) -> Floats:
        """float32[texts, hidden] → float32[texts, classes]"""
        return features @ self.weight.T + self.bias


def fit_head(
    features: Floats,
    labels: Labels,
    classes: int,
    strength: float,
    class_weights: Floats | None = None,
    steps: int = MOST_STEPS,
) -> LinearHead:
    """The head that logistic regression finds in so many steps; `strength` is the inverse penalty (sklearn's `C`)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scale = float(lengths.mean()) or 1.0
    present, numbers = np.unique(labels, return_inverse=True)
    weight = np.zeros((classes, features.shape[1]), np.float32)
    bias = np.full(classes, ABSENT, np.float32)
    if len(present) == 1:
        bias[present] = 0.0
        return LinearHead(weight, bias)
    model = LogisticRegression(C=strength, max_iter=steps, tol=TOLERANCE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(
            features / np.maximum(lengths, 1e-9), numbers, None if class_weights is None else class_weights[labels]
        )
    two = len(present) == 2  # a single row, the logit of the second class
    rows = np.vstack([-model.coef_, model.coef_]) / 2 if two else model.coef_
    offsets = np.concatenate([-model.intercept_, model.intercept_]) / 2 if two else model.intercept_
    weight[present], bias[present] = rows / scale, offsets
    return LinearHead(weight, bias)


def out_of_fold(features: Floats, labels: Labels, classes: int, strength: float, folds: int, seed: int) -> Floats:
    """float32[texts, classes]: logits of each text by a head that was fitted, roughly, on the other folds."""
    steps = int(min(max(ROUGH_WORK / (len(labels) * classes), FEWEST_STEPS), MOST_ROUGH_STEPS))
    logits = np.empty((len(labels), classes), np.float32)
    for inside in _folds(labels, folds, seed):
        head = fit_head(features[~inside], labels[~inside], classes, strength, steps=steps)
        logits[inside] = head.logits(features[inside])
    return logits


def _folds(labels: Labels, folds: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Masks of the texts of each fold, every label dealt out evenly."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    fold = np.empty(len(labels), np.int64)
    fold[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels)) % folds
    for number in range(folds):
        yield fold == number
