"""What a linear model says of each text when it was fitted on all the others, in closed form and so in seconds.

Ridge regression on the labels' indicators: what leaving a row out changes follows from the fit with it (Allen 1974's
PRESS). As a classifier it is behind logistic regression; in telling which labels are wrong it was ahead of logistic
regression in four folds (on questions with 5% of the labels swapped it ranked 84% of them first, against 75%).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PENALTY = 1.0
"""Of features of unit length."""
LOGITS = 10.0
"""Makes logits of scores: those of indicators lie between 0 and 1."""


def left_out_logits(features: NDArray[np.float32], labels: NDArray[np.int32], classes: int) -> NDArray[np.float32]:
    """float32[texts, hidden] → float32[texts, classes], each row from the other rows alone."""
    extended, projected, own_share = _fitted(features)
    sums = np.zeros((extended.shape[1], classes), np.float32)
    for label in range(classes):
        sums[:, label] = extended[labels == label].sum(axis=0)
    scores = projected @ sums
    scores[np.arange(len(features)), labels] -= own_share
    scores /= (1 - own_share)[:, None]
    logits: NDArray[np.float32] = LOGITS * scores
    return logits


def left_out_mark_logits(features: NDArray[np.float32], marks: NDArray[np.int32]) -> NDArray[np.float32]:
    """The same where a text may have several labels: `marks` int32[texts, labels], 1 for each that it has."""
    extended, projected, own_share = _fitted(features)
    known = marks.astype(np.float32)
    scores = projected @ (extended.T @ known) - own_share[:, None] * known
    logits: NDArray[np.float32] = LOGITS * (scores / (1 - own_share)[:, None] - 0.5)
    return logits


def _fitted(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Features of unit length with a one for the intercept, what takes sums of them to scores, and by how much each
    text decides its own score."""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)
    extended = np.concatenate([unit, np.ones((len(features), 1), np.float32)], axis=1)
    inverse = np.linalg.inv((extended.T @ extended).astype(np.float64) + PENALTY * np.eye(extended.shape[1]))
    projected = extended @ inverse.astype(np.float32)
    return extended, projected, np.minimum(np.einsum("ij,ij->i", projected, extended), 1 - 1e-3)
