"""The score from which each label holds: for the best F1, or so low as a precision that is asked for allows.

A rare label has a handful of texts to choose by, so its own counts are filled up with what all labels together do at
the same score, as if it had PRIOR more texts. Thresholds that were chosen by the texts that they are measured on
promise too much; so what is aimed at for a precision is raised until thresholds from some of the texts keep it on the
others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.evaluation.linear_head import Floats, Labels, folds_of
from training.evaluation.one_vs_rest import rarest_labels

GRID: NDArray[np.float32] = expit(np.arange(-4.0, 7.05, 0.1)).round(4).astype(np.float32)
"""Thresholds that are tried: 0.018 to 0.9991, even steps of the logit."""
PRIOR = 5.0
FOLDS = 5
AIMS = 12


@dataclass(frozen=True)
class _Counts:
    """At each threshold of GRID: texts with a label that reach it, and without; and all that have it. [labels, GRID]"""

    right: NDArray[np.float64]
    wrong: NDArray[np.float64]
    having: NDArray[np.float64]

    def filled_up(self, prior: float) -> _Counts:
        """With `prior` more texts of each label, as those of all labels are on average."""
        share = prior / max(float(self.having.sum()), 1.0)
        return _Counts(
            self.right + share * self.right.sum(axis=0),
            self.wrong + share * self.wrong.sum(axis=0),
            self.having + share * self.having.sum(),
        )


def choose_thresholds(
    probabilities: Floats, marks: Labels, precision: float | None = None, prior: float = PRIOR
) -> Floats:
    """float32[labels]: for the best F1, or the lowest that gives a `precision`; of equals the middle one.

    probabilities: float32[texts, labels]; marks: int32[texts, labels], 1 for each label that a text has.
    """
    if precision is None:
        return _for_f1(_counted(probabilities, marks).filled_up(prior))
    aims = precision + (1 - precision) * np.arange(AIMS) / AIMS
    aim = next((aim for aim in aims if _keeps(probabilities, marks, aim, precision, prior)), aims[-1])
    return _for_precision(_counted(probabilities, marks).filled_up(prior), float(aim))


def chosen_thresholds(thresholds: Floats, metrics: Mapping[str, float], precision: float | None) -> str:
    """What the thresholds were chosen for, and what that is worth on the held-out texts, as a line."""
    aim = "the best F1" if precision is None else f"a precision of {precision:g}"
    return (
        f"thresholds {thresholds.min():.3f} to {thresholds.max():.3f}, for {aim}: on the held-out texts precision "
        f"{metrics['micro_precision']:.1%}, recall {metrics['micro_recall']:.1%}"
    )


def _counted(probabilities: Floats, marks: Labels) -> _Counts:
    labels = marks.shape[1]
    right, wrong = np.zeros((labels, len(GRID))), np.zeros((labels, len(GRID)))
    for label in range(labels):
        for counts, has in ((right, True), (wrong, False)):
            own = np.sort(probabilities[marks[:, label] == has, label])
            counts[label] = len(own) - np.searchsorted(own, GRID, side="left")
    return _Counts(right, wrong, marks.sum(axis=0).astype(np.float64)[:, None])


def _for_f1(counts: _Counts) -> Floats:
    f1 = 2 * counts.right / np.maximum(counts.right + counts.wrong + counts.having, 1e-9)
    best = f1 >= f1.max(axis=1, keepdims=True) - 1e-9
    return np.array([GRID[np.flatnonzero(row)[np.count_nonzero(row) // 2]] for row in best], np.float32)


def _for_precision(counts: _Counts, aim: float) -> Floats:
    """The lowest threshold from which on, at every higher one, the precision is as high; else the highest."""
    enough = counts.right >= aim * (counts.right + counts.wrong) - 1e-9
    from_here_on = np.logical_and.accumulate(enough[:, ::-1], axis=1)[:, ::-1]
    first = np.where(from_here_on.any(axis=1), from_here_on.argmax(axis=1), len(GRID) - 1)
    return GRID[first]


def _keeps(probabilities: Floats, marks: Labels, aim: float, precision: float, prior: float) -> bool:
    """Whether thresholds for `aim` from some of the texts give the others the precision, less a standard error."""
    right = said = 0
    for inside in folds_of(rarest_labels(marks), FOLDS, seed=0):
        counts = _counted(probabilities[~inside], marks[~inside]).filled_up(prior)
        predicted = probabilities[inside] >= _for_precision(counts, aim)
        said += int(predicted.sum())
        right += int((predicted & (marks[inside] == 1)).sum())
    if not said:
        return True
    share = right / said
    return share - math.sqrt(share * (1 - share) / said) >= precision
