"""Rows of the table that are probably wrong: confident learning (Northcutt et al. 2021, arXiv:1911.00068), by cleanlab.

Every text gets probabilities from a linear model of frozen features that was fitted without it. A label that they speak
against, and a text that is nearly another one of another label, are suspect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from scipy.special import expit

from training.evaluation.calibration import fit_temperature, softmax
from training.evaluation.left_out import left_out_logits
from training.evaluation.linear_head import Floats, Labels

NEAR = 0.97
"""Cosine of the features from which on two texts are nearly the same."""
MOST_CALIBRATED = 10_000
"""Texts by which the probabilities are calibrated."""
MOST_COMPARED = 30_000
"""Texts that are compared each with each."""
BLOCK = 2_000
MERGEABLE = 0.25
"""Share of two labels' texts that is taken for the other's from which on one may ask whether they are two."""


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A row, by its place in the table, that a person should look at."""

    row: int
    suggested: int
    """The class that it looks like."""
    quality: float
    """How well its label suits it, from 0 to 1."""
    why: str


@dataclass(frozen=True)
class Merge:
    """Two labels whose texts are taken for each other's."""

    first: int
    second: int
    share: float


def quality_of_labels(features: Floats, labels: Labels, classes: int) -> tuple[Floats, NDArray[np.float64]]:
    """float32[texts, classes], calibrated and without the text, and float64[texts], how well each label suits.

    A label suits as it is more probable than the most probable other one, if it were one of the two. By all labels'
    probabilities, whose differences shrink where several are likely, fewer wrong ones come first.
    """
    logits = left_out_logits(features, labels, classes)
    every = -(-len(labels) // MOST_CALIBRATED)
    temperature = fit_temperature(logits[::every], labels[::every])
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    lead = logits[rows, labels].astype(np.float64) - others.max(axis=1)
    return softmax(logits, temperature), expit(lead / temperature)


def wrong_labels(probabilities: Floats, labels: Labels, quality: NDArray[np.float64]) -> list[Suspect]:
    """Rows whose label is probably another one, the least fitting first."""
    if np.bincount(labels, minlength=probabilities.shape[1]).min() == 0:
        return []
    issues = np.flatnonzero(find_label_issues(labels, probabilities, n_jobs=1))
    suggested = probabilities.argmax(axis=-1)
    ranked = issues[np.argsort(quality[issues], kind="stable")]
    return [_suspect(row, suggested[row], quality, "another label fits better") for row in ranked]


def near_duplicates(
    features: Floats, labels: Labels, texts: Sequence[str], quality: NDArray[np.float64]
) -> list[Suspect]:
    """Rows that are nearly the text of a row with another label; of the first MOST_COMPARED rows."""
    unit = features[:MOST_COMPARED] / np.maximum(np.linalg.norm(features[:MOST_COMPARED], axis=1, keepdims=True), 1e-9)
    found: list[Suspect] = []
    for start in range(0, len(unit), BLOCK):
        own = np.arange(start, min(start + BLOCK, len(unit)))
        cosine = unit[own] @ unit.T
        cosine[labels[own][:, None] == labels[None, : len(unit)]] = -1.0
        nearest = cosine.argmax(axis=1)
        for row, other in zip(own[cosine.max(axis=1) >= NEAR], nearest[cosine.max(axis=1) >= NEAR], strict=True):
            why = f"nearly the same, with another label: {texts[other]}"
            found.append(_suspect(row, labels[other], quality, why))
    return sorted(found, key=lambda suspect: suspect.quality)


def _suspect(row: int, suggested: int, quality: NDArray[np.float64], why: str) -> Suspect:
    return Suspect(row=int(row), suggested=int(suggested), quality=float(quality[row]), why=why)


def mergeable_labels(probabilities: Floats, labels: Labels) -> list[Merge]:
    """Pairs of labels that predictions without the text exchange most, the closest pair first."""
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    predicted = probabilities.argmax(axis=-1)
    wrong = labels != predicted
    pairs = np.sort(np.stack([labels[wrong], predicted[wrong]]), axis=0)
    pairs, taken = np.unique(pairs, axis=1, return_counts=True)
    shares = taken / np.maximum(counts[pairs[0]] + counts[pairs[1]], 1)
    order = [n for n in np.argsort(-shares, kind="stable") if shares[n] >= MERGEABLE]
    return [Merge(int(pairs[0, n]), int(pairs[1, n]), float(shares[n])) for n in order]
