"""Scores of a model on labelled texts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

from training.evaluation.calibration import Floats, binned_error, expected_calibration_error, log_loss, softmax
from training.evaluation.review import review

Labels = NDArray[np.int32]
RESAMPLES = 500


@dataclass(frozen=True, kw_only=True)
class HeldOutPredictions:
    """Held-out texts with what the model said of them."""

    texts: Sequence[str]
    labels: Labels
    logits: Floats
    """float32[texts, labels], before temperature scaling."""
    temperature: float
    review_below: float | None = None
    """The score below which a person should look; None where no bound gives what was asked."""

    @property
    def probabilities(self) -> Floats:
        """float32[texts, labels], after temperature scaling."""
        return self.calibrated(self.logits)

    def calibrated(self, logits: Floats) -> Floats:
        """What the model's logits for other texts come to."""
        return softmax(logits, self.temperature)

    @property
    def predicted(self) -> Labels:
        numbers: Labels = self.logits.argmax(axis=-1).astype(np.int32)
        return numbers

    @property
    def is_calibrated(self) -> bool:
        return self.temperature != 1.0

    @property
    def manifest_fields(self) -> Mapping[str, Any]:
        """What a manifest says of how the scores are computed and read."""
        return {"temperature": self.temperature, "review_below": self.review_below}

    def label_sets(self, labels: Sequence[str]) -> list[tuple[str, ...]]:
        """The true label of each text, by name, alone in a set."""
        return [(labels[number],) for number in self.labels]


def scores(held: HeldOutPredictions) -> dict[str, float]:
    """Accuracy, macro F1, and calibration before (`_raw`) and after temperature scaling."""
    raw = softmax(held.logits)
    return {
        **label_scores(held.labels, held.predicted),
        "log_loss": log_loss(held.logits, held.labels, held.temperature),
        "log_loss_raw": log_loss(held.logits, held.labels),
        "calibration_error": expected_calibration_error(held.probabilities, held.labels),
        "calibration_error_raw": expected_calibration_error(raw, held.labels),
        **review_scores(held),
    }


def review_scores(held: HeldOutPredictions) -> dict[str, float]:
    """Accuracy of the answers that no person has to look at, with its 95% interval, and their share of all."""
    if held.review_below is None:
        return {}
    found = review(held.probabilities.max(axis=-1), held.predicted == held.labels, held.review_below)
    if not found.share:
        return {"review_share": 0.0}
    return {
        "review_accuracy": found.accuracy,
        "review_accuracy_low": found.low,
        "review_accuracy_high": found.high,
        "review_share": found.share,
    }


def intervals(held: HeldOutPredictions, classes: int, seed: int = 0) -> dict[str, float]:
    """95% bootstrap intervals of accuracy, macro F1 and calibration error, as `<score>_low` and `<score>_high`."""
    generator, texts = np.random.default_rng(seed), len(held.texts)
    probabilities = held.probabilities
    top, predicted = probabilities.max(axis=-1), held.predicted
    right = predicted == held.labels

    def scored(drawn: NDArray[np.int64]) -> dict[str, float]:
        return {
            "accuracy": float(right[drawn].mean()),
            "macro_f1": _macro_f1(held.labels[drawn], predicted[drawn], classes),
            "calibration_error": binned_error(top[drawn], right[drawn]),
        }

    return bootstrap_bounds(
        scored(np.arange(texts)), [scored(generator.integers(0, texts, texts)) for _ in range(RESAMPLES)]
    )


def bootstrap_bounds(scored: Mapping[str, float], resampled: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """`<score>_low` and `<score>_high`, within 0 and 1, of what all texts score and of what samples of them do.

    Samples lack texts that a score is made of, so they score lower on average (macro F1) or higher (calibration
    error): the percentiles of their scores are moved by that difference (Efron and Tibshirani 1993, chapter 10).
    """
    bounds: dict[str, float] = {}
    for name, score in scored.items():
        values = np.array([each[name] for each in resampled])
        ends = np.clip(np.percentile(values, (2.5, 97.5)) + score - values.mean(), 0.0, 1.0)
        bounds |= {f"{name}_{end}": float(bound) for end, bound in zip(("low", "high"), ends, strict=True)}
    return bounds


def lead(rival: Labels, own: Labels, labels: Labels) -> float:
    """By how many standard errors `rival` is right more often than `own`, on the same texts (McNemar 1947)."""
    only_rival = int(np.sum((rival == labels) & (own != labels)))
    only_own = int(np.sum((own == labels) & (rival != labels)))
    return (only_rival - only_own) / math.sqrt(only_rival + only_own) if only_rival + only_own else 0.0


def _macro_f1(labels: Labels, predicted: Labels, classes: int) -> float:
    """F1 averaged over the labels that occur, as `label_scores` has it, from counts alone."""
    true, said = np.bincount(labels, minlength=classes), np.bincount(predicted, minlength=classes)
    both = np.bincount(labels[labels == predicted], minlength=classes)
    occurs = true + said > 0
    return float(np.mean(2 * both[occurs] / (true + said)[occurs]))


def label_scores(labels: Labels, predicted: Labels) -> dict[str, float]:
    """Accuracy, and F1 averaged over the labels that occur."""
    return {
        "accuracy": float(np.mean(labels == predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0.0)),
    }


@dataclass(frozen=True, kw_only=True)
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
    return [
        ClassScores(precision=float(p), recall=float(r), f1=float(f), texts=int(n))
        for p, r, f, n in zip(*numbers, strict=True)
    ]


def confused_pairs(held: HeldOutPredictions, most: int) -> list[tuple[int, int, int]]:
    """(true class, predicted class, texts) of the mistakes that are made most often."""
    wrong = held.labels != held.predicted
    pairs, counts = np.unique(np.stack([held.labels[wrong], held.predicted[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [(int(pairs[0, n]), int(pairs[1, n]), int(counts[n])) for n in order]


def confusion(held: HeldOutPredictions, classes: int) -> NDArray[np.int64]:
    """int64[classes, classes]: texts by true (row) and predicted (column) class."""
    counts: NDArray[np.int64] = confusion_matrix(held.labels, held.predicted, labels=list(range(classes)))
    return counts


def worst_mistakes(held: HeldOutPredictions, count: int) -> list[int]:
    """Indices of the texts that the model was most sure of and wrong about, worst first."""
    scores = held.probabilities.max(axis=-1)
    wrong = np.flatnonzero(held.labels != held.predicted)
    return [int(index) for index in wrong[np.argsort(-scores[wrong], kind="stable")][:count]]
