"""Scores of labels that hold independently of each other: what the sigmoids say, and whether it is so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from training.evaluation.calibration import COLDEST, HOTTEST, Floats

Marks = NDArray[np.int32]
FOLDS = 5
FEWEST_TEXTS = 2 * FOLDS
"""A label that fewer texts have is left as it is: two in each fold say little enough."""


@dataclass(frozen=True)
class LabelScaling:
    """From logits to scores: divided by the temperature, times `scale`, plus `shift`, float64[labels] each."""

    temperature: float
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]

    def probabilities(self, logits: Floats) -> Floats:
        """float[texts, labels] → float32[texts, labels]"""
        scaled: Floats = expit(logits.astype(np.float64) / self.temperature * self.scale + self.shift)
        return scaled.astype(np.float32)

    @property
    def of_labels(self) -> bool:
        """Whether any label has a scale or a shift of its own."""
        return bool((self.scale != 1).any() or (self.shift != 0).any())


def fit_scaling(logits: Floats, marks: Marks) -> LabelScaling:
    """A temperature for all labels, then Platt scaling of those labels that it helps, each if folds of the texts agree.

    marks: int32[texts, labels], 1 for each label that a text has.
    """
    labels = marks.shape[1]
    temperature = _helpful_temperature(logits, marks)
    scale, shift = np.ones(labels), np.zeros(labels)
    for label in range(labels):
        own, mine = logits[:, label] / temperature, marks[:, label]
        if _helps(own, mine):
            scale[label], shift[label] = fit_platt(own, mine)
    return LabelScaling(temperature, scale.round(4), shift.round(4))


def set_log_loss(logits: Floats, marks: Marks, temperature: float = 1.0) -> float:
    """Mean over the texts of the negative log-likelihood of all their labels, in nats."""
    scaled = logits.astype(np.float64) / temperature
    return float((np.logaddexp(0, scaled) - scaled * marks).sum() / len(marks))


def fit_set_temperature(logits: Floats, marks: Marks) -> float:
    """The temperature between 0.05 and 20 with the least log loss."""
    found = minimize_scalar(
        lambda exponent: set_log_loss(logits, marks, float(np.exp(exponent))),
        bounds=(np.log(COLDEST), np.log(HOTTEST)),
        method="bounded",
    )
    return round(float(np.exp(found.x)), 4)


def fit_platt(logits: Floats, marks: Marks) -> tuple[float, float]:
    """Scale, above 0, and shift of one label's logits, with Platt's targets, which are less sure than 0 and 1."""
    positive = int(marks.sum())
    targets = np.where(marks, (positive + 1) / (positive + 2), 1 / (len(marks) - positive + 2))
    values = logits.astype(np.float64)

    def loss(parameters: NDArray[np.float64]) -> float:
        scaled = values * np.exp(parameters[0]) + parameters[1]
        return float((np.logaddexp(0, scaled) - scaled * targets).sum())

    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=((-3.0, 3.0), (-20.0, 20.0)))
    return float(np.exp(found.x[0])), float(found.x[1])


def _helpful_temperature(logits: Floats, marks: Marks) -> float:
    gain = sum(
        (
            set_log_loss(logits[inside], marks[inside])
            - set_log_loss(logits[inside], marks[inside], fit_set_temperature(logits[~inside], marks[~inside]))
        )
        * inside.sum()
        for inside in _folds(len(marks))
    )
    return fit_set_temperature(logits, marks) if gain > 0 else 1.0


def _helps(logits: Floats, marks: Marks) -> bool:
    """Whether scaling that was fitted on some of the texts makes the label's scores better on the others."""
    if not FEWEST_TEXTS <= marks.sum() <= len(marks) - FEWEST_TEXTS:
        return False
    gain = 0.0
    for inside in _folds(len(marks)):
        scale, shift = fit_platt(logits[~inside], marks[~inside])
        own, mine = logits[inside, None], marks[inside, None]
        gain += (set_log_loss(own, mine) - set_log_loss(own * scale + shift, mine)) * len(mine)
    return gain > 0


def _folds(texts: int) -> Iterator[NDArray[np.bool_]]:
    fold = np.random.default_rng(0).permutation(texts) % FOLDS
    for number in range(min(FOLDS, texts)):
        if not (inside := fold == number).all():
            yield inside
