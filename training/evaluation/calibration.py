"""Temperature scaling and how to tell that it was needed (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

Floats = NDArray[np.floating]
BINS = 15
COLDEST, HOTTEST = 0.05, 20.0


@dataclass(frozen=True)
class Bin:
    """Predictions whose score lies in one interval of equal width: how sure they are and how right."""

    count: int
    confidence: float
    accuracy: float


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """float[texts, labels] → probabilities of the same dtype."""
    scaled = logits / logits.dtype.type(temperature)
    exponents = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return probabilities


def log_loss(logits: Floats, labels: NDArray[np.int32], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood in nats."""
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(axis=-1)
    log_sums = top + np.log(np.exp(scaled - top[:, None]).sum(axis=-1))
    return float(np.mean(log_sums - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: Floats, labels: NDArray[np.int32]) -> float:
    """The temperature between 0.05 and 20 with the least log loss; accuracy does not change by it."""
    found = minimize_scalar(
        lambda exponent: log_loss(logits, labels, float(np.exp(exponent))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)


def calibrated_log_loss(logits: Floats, labels: NDArray[np.int32]) -> float:
    """The log loss at the temperature that fits best: it compares models that are sure to different degrees."""
    return log_loss(logits, labels, fit_temperature(logits, labels))


def helpful_temperature(logits: Floats, labels: NDArray[np.int32], folds: int = 5) -> float:
    """The best temperature, or 1 where one fitted on some of the texts does not help the others: too few to tell."""
    fold = np.random.default_rng(0).permutation(len(labels)) % folds
    gains = [
        (log_loss(logits[inside], labels[inside]) - log_loss(logits[inside], labels[inside], fit_temperature(*outside)))
        * inside.sum()
        for inside, outside in ((fold == n, (logits[fold != n], labels[fold != n])) for n in range(folds))
        if inside.any() and not inside.all()
    ]
    return fit_temperature(logits, labels) if sum(gains) > 0 else 1.0


def reliability(probabilities: Floats, labels: NDArray[np.int32], bins: int = BINS) -> list[Bin]:
    """The predictions by score, in `bins` intervals of equal width; empty ones are left out."""
    scores, right = probabilities.max(axis=-1), probabilities.argmax(axis=-1) == labels
    numbers = np.minimum((scores * bins).astype(int), bins - 1)
    return [
        Bin(int(inside.sum()), float(scores[inside].mean()), float(right[inside].mean()))
        for inside in (numbers == number for number in range(bins))
        if inside.any()
    ]


def expected_calibration_error(probabilities: Floats, labels: NDArray[np.int32], bins: int = BINS) -> float:
    """Mean distance between score and accuracy, from 0 to 1, over bins weighted by their texts."""
    return binned_error(probabilities.max(axis=-1), probabilities.argmax(axis=-1) == labels, bins)


def binned_error(scores: Floats, right: NDArray[np.bool_], bins: int = BINS) -> float:
    """The same of the scores of the predicted labels, and of whether each is right."""
    numbers = np.minimum((scores * bins).astype(int), bins - 1)
    gaps = np.bincount(numbers, weights=scores - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))
