"""Scores, calibration and the linear head where a text has any number of labels, against sklearn and drawn data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score

from training.evaluation.label_calibration import fit_platt, fit_scaling, set_log_loss
from training.evaluation.label_sets import (
    HeldOutSets,
    LabelDecision,
    by_label,
    confused_labels,
    held_out_scores,
    set_intervals,
    set_lead,
    set_scores,
    worst_set_mistakes,
)
from training.evaluation.labelling import MultiLabel
from training.evaluation.linear_head import ABSENT
from training.evaluation.one_vs_rest import fit_heads, out_of_fold_sets, rarest_labels

GENERATOR = np.random.default_rng(0)
TRUE = (GENERATOR.random((200, 4)) < [0.5, 0.2, 0.1, 0.02]).astype(np.int32)
SAID = np.where(GENERATOR.random(TRUE.shape) < 0.1, 1 - TRUE, TRUE)


def held(logits: np.ndarray, marks: np.ndarray) -> HeldOutSets:
    decision = LabelDecision.fitted(logits, marks, None)
    return HeldOutSets(texts=[f"text {n}" for n in range(len(marks))], labels=marks, logits=logits, decision=decision)


def test_scores_are_those_of_sklearn() -> None:
    found = set_scores(TRUE, SAID)

    assert found["micro_f1"] == pytest.approx(f1_score(TRUE, SAID, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(TRUE, SAID, average="macro"))
    assert found["micro_precision"] == pytest.approx(precision_score(TRUE, SAID, average="micro"))
    assert found["micro_recall"] == pytest.approx(recall_score(TRUE, SAID, average="micro"))
    assert found["all_right"] == np.mean([list(t) == list(s) for t, s in zip(TRUE, SAID, strict=True)])


def test_a_rival_that_is_better_leads_by_many_standard_errors_and_an_equal_one_by_none() -> None:
    worse = np.where(np.random.default_rng(1).random(TRUE.shape) < 0.3, 1 - TRUE, TRUE)

    assert set_lead(SAID, worse, TRUE) > 4
    assert set_lead(worse, SAID, TRUE) == pytest.approx(-set_lead(SAID, worse, TRUE))
    assert set_lead(SAID, SAID, TRUE) == 0.0


def test_intervals_hold_the_score() -> None:
    logits = (4.0 * SAID - 2.0).astype(np.float32)
    scored, bounds = held_out_scores(held(logits, TRUE)), set_intervals(held(logits, TRUE))

    for name in ("micro_f1", "macro_f1", "micro_precision", "micro_recall", "all_right"):
        assert bounds[f"{name}_low"] <= scored[name] <= bounds[f"{name}_high"]
        assert bounds[f"{name}_high"] - bounds[f"{name}_low"] > 0.02


def test_labels_confusions_and_mistakes_are_counted() -> None:
    true = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], np.int32)
    logits = np.array([[-3, 3, -9], [-3, 3, -9], [-9, 5, -9], [-9, -9, -9]], np.float32)
    known = np.array([[3, -3, -3], [-3, 3, -3], [-3, -3, 3], [-3, -3, -3]], np.float32).repeat(20, axis=0)
    decision = LabelDecision.fitted(known, (known > 0).astype(np.int32), None)
    found = HeldOutSets(texts=list("abcd"), labels=true, logits=logits, decision=decision)

    assert confused_labels(found, 5) == [(0, 1, 2)]
    assert [scores.texts for scores in by_label(found)] == [2, 1, 0]
    assert [scores.recall for scores in by_label(found)] == [0, 1, 0]
    assert {text for text, _ in worst_set_mistakes(found, 10)} == {0, 1}
    assert len(worst_set_mistakes(found, 1)) == 1


def test_scale_and_shift_that_labels_were_drawn_with_are_found() -> None:
    generator = np.random.default_rng(2)
    logits = generator.normal(-1, 3, 20_000).astype(np.float32)
    marks = (generator.random(20_000) < expit(0.5 * logits - 1)).astype(np.int32)

    scale, shift = fit_platt(logits, marks)

    assert [scale, shift] == pytest.approx([0.5, -1], rel=0.05)


def test_labels_are_calibrated_where_that_helps_other_texts_and_rare_ones_left_alone() -> None:
    generator = np.random.default_rng(3)
    logits = generator.normal(-1, 2, (3000, 3)).astype(np.float32)
    # The first label means what its scores say, the second is shifted, the third is too rare to tell.
    marks = (generator.random((3000, 3)) < expit(logits + np.array([0, 2, -30]))).astype(np.int32)
    marks[:5, 2] = 1

    scaling = fit_scaling(logits, marks)

    scaled = logits / scaling.temperature * scaling.scale + scaling.shift
    assert (scaling.scale[2], scaling.shift[2]) == (1.0, 0.0)
    assert scaling.shift[1] == pytest.approx(2, abs=0.3)
    assert set_log_loss(scaled[:, :2], marks[:, :2]) < set_log_loss(logits[:, :2], marks[:, :2])
    np.testing.assert_allclose(scaling.probabilities(logits), expit(scaled), rtol=1e-5)


def features_of(texts: int) -> tuple[np.ndarray, np.ndarray]:
    """Features that tell two labels, a third that no text has, and a fourth that all have."""
    generator = np.random.default_rng(4)
    features = generator.normal(size=(texts, 12)).astype(np.float32)
    marks = (features[:, :4] + generator.normal(0, 0.5, (texts, 4)) > [0, 1, 99, -99]).astype(np.int32)
    return features, marks


def test_each_label_is_a_logistic_regression_of_its_own() -> None:
    features, marks = features_of(400)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)

    head = fit_heads(features, marks, strength=10.0)

    logits = head.logits(unit * np.linalg.norm(features, axis=1).mean())
    for label in (0, 1):
        truth = LogisticRegression(C=10.0, max_iter=1000).fit(unit, marks[:, label])
        np.testing.assert_allclose(expit(logits[:, label]), truth.predict_proba(unit)[:, 1], atol=0.01)
    assert head.bias[2] == ABSENT
    assert (expit(logits[:, 3]) > 0.95).all()


def test_out_of_fold_no_text_is_known_to_its_head() -> None:
    features, marks = features_of(400)
    noise = np.random.default_rng(5).integers(0, 2, marks.shape).astype(np.int32)

    told = out_of_fold_sets(features, marks, 100.0, folds=4, seed=1)
    guessed = out_of_fold_sets(features, noise, 100.0, folds=4, seed=1)

    assert ((told[:, 0] > 0) == marks[:, 0]).mean() > 0.8
    assert abs(((guessed > 0) == noise).mean() - 0.5) < 0.05


def test_the_rarest_label_of_a_text_is_named() -> None:
    marks = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1]], np.int32)

    assert rarest_labels(marks).tolist() == [1, 0, 3, 2]


def test_rare_labels_weigh_more_and_only_where_they_hold() -> None:
    marks = np.array([[1, 0], [1, 0], [1, 0], [1, 1]], np.int32)
    way = MultiLabel()

    weights = way.class_weights(marks)
    rows = way.batch_weights(np.array([1, 1, 1, 0], np.float32), marks, weights)

    assert weights.tolist() == [1.0, 2.5]
    np.testing.assert_allclose(rows, np.array([[1, 1], [1, 1], [1, 1], [0, 0]]) / 3)
