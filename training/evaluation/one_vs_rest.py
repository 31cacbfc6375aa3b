"""A linear head for texts with any number of labels: one logistic regression a label, all fitted at once.

They share no weight, so that one descent over all of them (L-BFGS) ends where one a label would, in a matrix product a
step instead of one a label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from training.evaluation.linear_head import ABSENT, FEWEST_STEPS, WORK, Floats, Labels, LinearHead, folds_of

MOST_STEPS, TOLERANCE = 200, 1e-3
"""The second is the largest slope that is left, as a share of a text's."""


def fit_heads(
    features: Floats,
    marks: Labels,
    strength: float,
    label_weights: Floats | None = None,
) -> LinearHead:
    """The head that fits `marks` int32[texts, labels]; `strength` is the inverse penalty (sklearn's `C`).

    label_weights: float32[labels], how much a text that has the label counts; once unless given.
    """
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = (features / np.maximum(lengths, 1e-9)).astype(np.float32)
    known = marks.astype(np.float32)
    labels, hidden = marks.shape[1], features.shape[1]
    weights = None if label_weights is None else np.where(marks, label_weights, np.float32(1.0))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight, bias = _unpacked(parameters, labels, hidden)
        logits = unit @ weight.T.astype(np.float32) + bias.astype(np.float32)
        losses, slopes = np.logaddexp(0, logits) - logits * known, expit(logits) - known
        if weights is not None:
            losses, slopes = losses * weights, slopes * weights
        slope = np.hstack([slopes.T @ unit + weight / strength, slopes.sum(axis=0)[:, None]])
        return float(losses.sum(dtype=np.float64) + (weight**2).sum() / (2 * strength)), slope.astype(
            np.float64
        ).ravel()

    start = np.zeros((labels, hidden + 1))
    steps = int(min(max(4 * WORK / marks.size, FEWEST_STEPS), MOST_STEPS))
    options = {"maxiter": steps, "gtol": TOLERANCE * np.sqrt(len(marks))}
    found = minimize(loss, start.ravel(), jac=True, method="L-BFGS-B", options=options)
    weight, bias = _unpacked(found.x, labels, hidden)
    bias = np.where(marks.any(axis=0), bias, ABSENT)
    return LinearHead((weight / (float(lengths.mean()) or 1.0)).astype(np.float32), bias.astype(np.float32))


def out_of_fold_sets(features: Floats, marks: Labels, strength: float, folds: int, seed: int) -> Floats:
    """float32[texts, labels]: logits of each text by a head that was fitted on the other folds."""
    logits = np.empty(marks.shape, np.float32)
    for inside in folds_of(rarest_labels(marks), folds, seed):
        head = fit_heads(features[~inside], marks[~inside], strength)
        logits[inside] = head.logits(features[inside])
    return logits


def rarest_labels(marks: Labels) -> Labels:
    """int32[texts]: which of a text's labels the fewest texts have; the number of labels for a text that has none."""
    by_rarity = np.argsort(marks.sum(axis=0), kind="stable")
    ranked = np.hstack([marks[:, by_rarity], np.ones((len(marks), 1), np.int32)])
    rarest: Labels = np.append(by_rarity, marks.shape[1])[ranked.argmax(axis=1)].astype(np.int32)
    return rarest


def _unpacked(
    parameters: NDArray[np.float64], labels: int, hidden: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    both = parameters.reshape(labels, hidden + 1)
    return both[:, :hidden], both[:, hidden]
