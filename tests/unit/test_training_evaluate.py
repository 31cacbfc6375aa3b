from __future__ import annotations

import numpy as np
import pytest

from training.artifact.export import golden_texts
from training.evaluation.evaluate import (
    ClassScores,
    HeldOutPredictions,
    confused_pairs,
    confusion,
    intervals,
    label_scores,
    lead,
    per_class,
    scores,
    worst_mistakes,
)

LOGITS = np.array([[3, 0, 0], [0, 2, 0], [0, 0.5, 0], [4, 0, 0], [0, 0, 1]], np.float32)
TRUE = np.array([0, 1, 0, 2, 2], np.int32)
HELD = HeldOutPredictions(texts=["a", "bb", "c", "d", "eeee"], labels=TRUE, logits=LOGITS, temperature=2.0)


def test_scores_of_a_worked_example() -> None:
    found = scores(HELD)

    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["macro_f1"] == pytest.approx((1 / 2 + 2 / 3 + 2 / 3) / 3)
    assert found["log_loss"] != found["log_loss_raw"]


def test_scores_of_each_class() -> None:
    assert per_class(HELD, 3) == [
        ClassScores(precision=0.5, recall=0.5, f1=0.5, texts=2),
        ClassScores(precision=0.5, recall=1.0, f1=2 / 3, texts=1),
        ClassScores(precision=1.0, recall=0.5, f1=2 / 3, texts=2),
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


def test_the_most_confused_pairs_come_first() -> None:
    labels = np.array([0, 0, 0, 1, 2, 2], np.int32)
    held = HeldOutPredictions(
        texts=["x"] * 6, labels=labels, logits=np.eye(3, dtype=np.float32)[[1, 1, 0, 2, 2, 0]], temperature=1.0
    )

    assert confused_pairs(held, most=2) == [(0, 1, 2), (1, 2, 1)]


def test_an_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator, hits = np.random.default_rng(0), 0
    for _ in range(40):
        labels = generator.integers(0, 2, 150).astype(np.int32)
        right = generator.random(150) < 0.8
        logits = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
        found = intervals(HeldOutPredictions(texts=["x"] * 150, labels=labels, logits=logits, temperature=1.0), 2)
        hits += found["accuracy_low"] <= 0.8 <= found["accuracy_high"]

    assert hits >= 34


def test_intervals_lie_around_the_scores() -> None:
    found, exact = intervals(HELD, 3), scores(HELD)

    for name in ("accuracy", "macro_f1"):
        assert found[f"{name}_low"] <= exact[name] <= found[f"{name}_high"]
    assert 0 <= found["calibration_error_low"] <= found["calibration_error_high"] <= 1


def test_the_interval_of_macro_f1_holds_it_where_labels_are_many_and_rare() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 300, 900).astype(np.int32)
    said = np.where(generator.random(900) < 0.6, labels, generator.integers(0, 300, 900))
    logits = 5 * np.eye(300, dtype=np.float32)[said]
    held = HeldOutPredictions(texts=["x"] * 900, labels=labels, logits=logits, temperature=1.0)

    found, exact = intervals(held, 300), scores(held)

    for name in ("accuracy", "macro_f1", "calibration_error"):
        assert found[f"{name}_low"] < exact[name] < found[f"{name}_high"]
        assert found[f"{name}_high"] - found[f"{name}_low"] < 0.1


def test_a_lead_counts_only_texts_on_which_one_of_two_is_right() -> None:
    labels = np.zeros(30, np.int32)
    own, rival = labels.copy(), labels.copy()
    own[:9], rival[9:10] = 1, 1

    assert lead(rival, own, labels) == pytest.approx((9 - 1) / np.sqrt(10))
    assert lead(own, rival, labels) == -lead(rival, own, labels)
    assert lead(own, own, labels) == 0.0


def test_label_scores_of_a_baseline() -> None:
    assert label_scores(np.array([0, 1], np.int32), np.array([0, 0], np.int32))["accuracy"] == 0.5
