"""Scores of a model on labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from training.evaluation.calibration import Floats, expected_calibration_error, log_loss, softmax

Labels = NDArray[np.int32]


@dataclass(frozen=True)
class HeldOutPredictions:
    """Held-out texts with what the model said of them."""

    texts: Sequence[str]
    labels: Labels
    logits: Floats
    """float32[texts, labels], before temperature scaling."""
    temperature: float

    @property
    def probabilities(self) -> Floats:
        """float32[texts, labels], after temperature scaling."""
        return softmax(self.logits, self.temperature)

    @property
    def predicted(self) -> Labels:
        numbers: Labels = self.logits.argmax(axis=-1).astype(np.int32)
        return numbers


def scores(held: HeldOutPredictions) -> dict[str, float]:
    """Accuracy, macro F1, and calibration before (`_raw`) and after temperature scaling."""
    raw = softmax(held.logits)
    return {
        **label_scores(held.labels, held.predicted),
        "log_loss": log_loss(held.logits, held.labels, held.temperature),
        "log_loss_raw": log_loss(held.logits, held.labels),
        "calibration_error": expected_calibration_error(held.probabilities, held.labels),
        "calibration_error_raw": expected_calibration_error(raw, held.labels),
    }


def label_scores(labels: Labels, predicted: Labels) -> dict[str, float]:
    """Accuracy, and F1 averaged over the labels that occur."""
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0.0)),
    }


@dataclass(frozen=True)
class ClassScores:
    precision: float
    recall: float
    f1: float
    texts: int


def per_class(held: HeldOutPredictions, classes: int) -> list[ClassScores]:
    """Precision, recall, F1 and the number of texts of each class, by its number."""
    numbers = precision_recall_fscore_support(
        held.labels, held.predicted, labels=list(range(classes)), zero_division=0.0
    )
    return [ClassScores(float(p), float(r), float(f), int(n)) for p, r, f, n in zip(*numbers, strict=True)]


def confusion(held: HeldOutPredictions, classes: int) -> NDArray[np.int64]:
    """int64[classes, classes]: texts by true (row) and predicted (column) class."""
    counts: NDArray[np.int64] = confusion_matrix(held.labels, held.predicted, labels=list(range(classes)))
    return counts


def worst_mistakes(held: HeldOutPredictions, count: int) -> list[int]:
    """Indices of the texts that the model was most sure of and wrong about, worst first."""
    scores = held.probabilities.max(axis=-1)
    wrong = np.flatnonzero(held.labels != held.predicted)
    return [int(index) for index in wrong[np.argsort(-scores[wrong], kind="stable")][:count]]
