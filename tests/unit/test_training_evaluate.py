from __future__ import annotations

import numpy as np
import pytest

from training.artifact.export import golden_texts
from training.evaluation.evaluate import ClassScores, HeldOutPredictions, confusion, per_class, scores, worst_mistakes

LOGITS = np.array([[3, 0, 0], [0, 2, 0], [0, 0.5, 0], [4, 0, 0], [0, 0, 1]], np.float32)
HELD = HeldOutPredictions(["a", "bb", "c", "d", "eeee"], np.array([0, 1, 0, 2, 2], np.int32), LOGITS, temperature=2.0)


def test_scores_of_a_worked_example() -> None:
    found = scores(HELD)

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    assert found["log_loss"] != found["log_loss_raw"]


def test_scores_of_each_class() -> None:
    assert per_class(HELD, 3) == [
        ClassScores(0.5, 0.5, 0.5, 2),
        ClassScores(0.5, 1.0, 2 / 3, 1),
        ClassScores(1.0, 0.5, 2 / 3, 2),
    ]


def test_confusion_has_true_rows_and_predicted_columns() -> None:
    assert confusion(HELD, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_the_worst_mistakes_are_the_most_confident() -> None:
    assert worst_mistakes(HELD, 5) == [3, 2]
    assert worst_mistakes(HELD, 1) == [3]


def test_golden_texts_go_from_the_shortest_to_the_longest_with_scaled_probabilities() -> None:
    golden = golden_texts(HELD, count=2)

    assert {each.text for each in golden} == {"a", "eeee"}
    assert golden[0].probabilities == tuple(HELD.probabilities[0].tolist())
