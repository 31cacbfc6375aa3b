"""Rows with several labels that are probably wrong, label by label, as `suspects` finds them for one label a text."""

from __future__ import annotations

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from training.evaluation.label_calibration import LabelScaling, fit_set_temperature
from training.evaluation.left_out import left_out_mark_logits
from training.evaluation.linear_head import Floats, Labels


def probabilities_of_marks(features: Floats, marks: Labels) -> Floats:
    """float32[texts, labels], calibrated, each text's by a linear model that was fitted without it."""
    logits = left_out_mark_logits(features, marks)
    plain = np.ones(marks.shape[1]), np.zeros(marks.shape[1])
    return LabelScaling(fit_set_temperature(logits, marks), *plain).probabilities(logits)


def quality_of_marks(probabilities: Floats, marks: Labels) -> NDArray[np.float64]:
    """float64[texts]: how well the least fitting of a text's labels suits it, one that it has or one that it lacks."""
    fits: NDArray[np.float64] = np.where(marks, probabilities, 1 - probabilities).min(axis=1).astype(np.float64)
    return fits


def wrong_marks(probabilities: Floats, marks: Labels) -> Labels:
    """int32[texts, labels], 1 where a text probably has a label wrongly, or lacks one."""
    wrong = np.zeros_like(marks)
    for label in range(marks.shape[1]):
        if 0 < marks[:, label].sum() < len(marks):
            both = np.stack([1 - probabilities[:, label], probabilities[:, label]], axis=1)
            wrong[find_label_issues(marks[:, label], both, n_jobs=1), label] = 1
    return wrong
