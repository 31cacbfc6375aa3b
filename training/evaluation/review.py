"""Below which score a person should look: answers above it are to be right as often as was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from training.evaluation.calibration import Floats, softmax

USUAL_ACCURACY = 0.95
"""Share of the answers above the bound that are to be right, unless another is asked for."""
DIGITS = 6
"""Decimals of a score as it is answered: by these it is held to the bound."""
FEWEST = 30
"""Answers that have to stay above the bound, so that their accuracy means anything."""
SPARE = 1.0
"""Standard errors that the accuracy above the bound has to spare on the texts that it is chosen on."""


@dataclass(frozen=True, kw_only=True)
class Review:
    """A bound on scores, and what it is worth on texts that were neither learnt from nor used to choose it."""

    below: float
    accuracy: float
    """Of the answers at or above it."""
    low: float
    high: float
    """The 95% interval of that accuracy (Clopper and Pearson 1934)."""
    share: float
    """Of all answers that are at or above it."""


def choose_review_below(scores: Floats, right: NDArray[np.bool_], accuracy: float) -> float | None:
    """The least score at or above which answers are right often enough; None where no bound gives that.

    scores: float[texts], of the answered labels; right: bool[texts]. What was chosen as just good enough is a little
    worse elsewhere, so the accuracy has to be above what is asked by a standard error.
    """
    shown = np.round(scores.astype(np.float64), DIGITS)
    order = np.argsort(-shown, kind="stable")
    counts = np.arange(1, len(order) + 1)
    found = np.cumsum(right[order]) / counts
    enough = found - SPARE * np.sqrt(accuracy * (1 - accuracy) / counts) >= accuracy
    # Answers of one score are above a bound together or not at all.
    last_of_score = np.append(shown[order][1:] < shown[order][:-1], True)
    good = np.flatnonzero(enough & last_of_score & (counts >= FEWEST))
    if not len(good):
        return None
    below = float(shown[order[good[-1]]])
    return 0.0 if good[-1] == len(order) - 1 else below


def fit_review_below(logits: Floats, labels: NDArray[np.int32], temperature: float, accuracy: float) -> float | None:
    """The same by logits of texts that the model has not learnt from, float[texts, labels], and their labels."""
    return choose_review_below(softmax(logits, temperature).max(axis=-1), logits.argmax(axis=-1) == labels, accuracy)


def review(scores: Floats, right: NDArray[np.bool_], below: float) -> Review:
    """What the bound is worth on these answers."""
    above = np.round(scores.astype(np.float64), DIGITS) >= below
    count, hits = int(above.sum()), int(right[above].sum())
    return Review(
        below=below,
        accuracy=hits / count if count else math.nan,
        low=float(beta.ppf(0.025, hits, count - hits + 1)) if hits else 0.0,
        high=float(beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0,
        share=count / len(scores),
    )


def chosen_review(below: float | None, metrics: Mapping[str, float], asked: float) -> str:
    """Which answers are marked for review, and what that is worth on the held-out texts, as a line."""
    if below is None:
        return f"review_below none: no bound leaves answers of which {asked:.1%} are right"
    if "review_accuracy" not in metrics:
        return f"review_below {below:.4f}: no held-out text is above it"
    low, high = metrics["review_accuracy_low"], metrics["review_accuracy_high"]
    return (
        f"review_below {below:.4f}, for {asked:.1%} right above it: on the held-out texts "
        f"{metrics['review_accuracy']:.1%} ({low:.1%} to {high:.1%}); {metrics['review_share']:.1%} of them are above"
    )
