"""A linear layer on the features of a frozen encoder: a model by itself, and where fine-tuning starts from.

Logistic regression, for its probabilities and because it won: on 5 and 10 texts a label of intents over ridge
regression and shrunk discriminants by 0.01 to 0.05 accuracy. It is fitted on features of unit length, as sentence
encoders were trained to be compared, and served on the same divided by their mean length, so that it stays linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoders.families import CLASSIFIER
from training.evaluation.softmax_regression import softmax_regression

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

MOST_STEPS, FEWEST_STEPS, WORK = 60, 10, 5e8
"""Steps are limited where texts times classes are many. From some 20 on more hardly change an answer."""
ABSENT = -20.0
"""Bias of a class that no text of the fit has."""


@dataclass(frozen=True)
class LinearHead:
    """`weight` float32[classes, hidden] and `bias` float32[classes], as a classifier's layer has them."""

    weight: Floats
    bias: Floats

    @property
    def tensors(self) -> dict[str, Floats]:
        """By the names of an artifact."""
        return {f"{CLASSIFIER}.weight": self.weight, f"{CLASSIFIER}.bias": self.bias}

    def logits(self, features: Floats) -> Floats:
        """float32[texts, hidden] → float32[texts, classes]"""
        return features @ self.weight.T + self.bias


def fit_head(
    features: Floats, labels: Labels, classes: int, strength: float, class_weights: Floats | None = None
) -> LinearHead:
    """The head that logistic regression finds; `strength` is the inverse penalty (sklearn's `C`)."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    scale = float(lengths.mean()) or 1.0
    present, numbers = np.unique(labels, return_inverse=True)
    weight = np.zeros((classes, features.shape[1]), np.float32)
    bias = np.full(classes, ABSENT, np.float32)
    if len(present) == 1:
        bias[present] = 0.0
        return LinearHead(weight, bias)
    coefficients, bias[present] = softmax_regression(
        features / np.maximum(lengths, 1e-9),
        numbers,
        len(present),
        strength=strength,
        weights=None if class_weights is None else class_weights[labels],
        steps=int(min(max(WORK / (len(labels) * len(present)), FEWEST_STEPS), MOST_STEPS)),
    )
    weight[present] = coefficients / scale
    return LinearHead(weight, bias)


def out_of_fold(features: Floats, labels: Labels, classes: int, strength: float, folds: int, seed: int) -> Floats:
    """float32[texts, classes]: logits of each text by a head that was fitted on the other folds."""
    logits = np.empty((len(labels), classes), np.float32)
    for inside in folds_of(labels, folds, seed):
        head = fit_head(features[~inside], labels[~inside], classes, strength)
        logits[inside] = head.logits(features[inside])
    return logits


def folds_of(labels: Labels, folds: int, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Masks of the texts of each fold, every label dealt out evenly."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    fold = np.empty(len(labels), np.int64)
    fold[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels)) % folds
    for number in range(folds):
        yield fold == number
