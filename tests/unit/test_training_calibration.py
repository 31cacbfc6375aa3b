from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from training.evaluation.calibration import (
    Bin,
    binned_error,
    calibrated_log_loss,
    expected_calibration_error,
    fit_temperature,
    helpful_temperature,
    log_loss,
    reliability,
    softmax,
)


def _drawn(temperature: float, texts: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from what they say when divided by `temperature`."""
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 3, (texts, 4)).astype(np.float32)
    edges = np.cumsum(softmax(logits, temperature), axis=1)
    labels = (generator.random((texts, 1)) > edges).sum(axis=1).clip(max=3).astype(np.int32)
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_the_labels_were_drawn_with_is_found(temperature: float) -> None:
    logits, labels = _drawn(temperature)

    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.03)


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    logits, labels = _drawn(2.5)

    assert expected_calibration_error(softmax(logits, 2.5), labels) < 0.01
    assert expected_calibration_error(softmax(logits), labels) > 0.1


def test_the_calibration_error_of_a_worked_example() -> None:
    # Ten texts at 0.95, of which 8 are right; ten at 0.55, of which 6 are right.
    probabilities = np.array([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 6 + [1] * 4, np.int32)

    assert expected_calibration_error(probabilities, labels) == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)
    (only,) = reliability(probabilities, labels, bins=2)
    assert only.count == 20
    assert [only.confidence, only.accuracy] == pytest.approx([0.75, 0.7])


def test_a_score_of_one_is_in_the_last_bin() -> None:
    assert reliability(np.array([[1.0, 0.0]]), np.array([0], np.int32)) == [Bin(1, 1.0, 1.0)]


def test_log_loss_is_the_mean_negative_log_likelihood() -> None:
    logits, labels = _drawn(1.0, texts=50)

    expected = -log_softmax(logits.astype(np.float64) / 2, axis=1)[np.arange(50), labels].mean()

    assert log_loss(logits, labels, 2.0) == pytest.approx(expected)


def test_probabilities_keep_the_precision_of_the_logits() -> None:
    logits = np.array([[1000.0, 999.0]], np.float32)

    found = softmax(logits, 2.0)

    assert found.dtype == np.float32
    assert found[0] == pytest.approx([0.62246, 0.37754], abs=1e-5)


def test_a_temperature_that_helps_is_taken_and_one_from_too_few_texts_is_not() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 400).astype(np.int32)
    logits = (generator.normal(size=(400, 3)) + 1.5 * np.eye(3)[labels]).astype(np.float32)

    # Three times too sure: hundreds of texts show it.
    assert helpful_temperature(logits * 3, labels) == fit_temperature(logits * 3, labels) > 1.5
    # All right, and all wrong, but for what a handful can tell.
    assert helpful_temperature(logits[:1], labels[:1]) == 1.0


def test_what_calibration_does_to_few_texts_is_no_harm_on_average() -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, 4000).astype(np.int32)
    logits = (generator.normal(size=(4000, 4)) + 2.0 * np.eye(4)[labels]).astype(np.float32)
    logits *= fit_temperature(logits, labels) ** -1  # as calibrated as it can be

    losses = []
    for start in range(0, 3000, 15):
        few = slice(start, start + 15)
        losses.append(log_loss(logits, labels, helpful_temperature(logits[few], labels[few])))

    assert np.median(losses) < 1.05 * log_loss(logits, labels)


def test_binned_error_is_that_of_the_reliability_diagram() -> None:
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 3, 500).astype(np.int32)
    probabilities = softmax(generator.normal(size=(500, 3)).astype(np.float32) * 2)

    expected = sum(
        each.count / 500 * abs(each.confidence - each.accuracy) for each in reliability(probabilities, labels)
    )

    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)


def test_texts_of_very_different_logits_stay_finite_side_by_side() -> None:
    logits = np.array([[1000.0, 999.0], [0.0, -1.0], [-1000.0, -1001.0]], np.float32)

    assert softmax(logits)[:, 0] == pytest.approx([0.731059] * 3, abs=1e-5)
    assert softmax(logits).sum(axis=1) == pytest.approx([1.0] * 3)
    assert log_loss(logits, np.array([0, 0, 0], np.int32)) == pytest.approx(0.313262, abs=1e-5)


def test_the_calibrated_log_loss_is_that_at_the_best_temperature() -> None:
    logits, labels = _drawn(2.5, texts=500)

    found = calibrated_log_loss(logits, labels)

    assert found == log_loss(logits, labels, fit_temperature(logits, labels))
    assert found == pytest.approx(calibrated_log_loss(3 * logits, labels), abs=1e-5)
    assert found < log_loss(logits, labels)


def test_a_temperature_has_four_decimals() -> None:
    found = fit_temperature(*_drawn(1.0, texts=500))

    assert found == round(found, 4) != round(found, 3)


def test_four_texts_are_fewer_than_the_folds_and_still_tell() -> None:
    logits = np.array([[2.0, 0.0]] * 4, np.float32)

    assert helpful_temperature(logits, np.zeros(4, np.int32)) == fit_temperature(logits, np.zeros(4, np.int32)) < 1
    assert helpful_temperature(logits, np.ones(4, np.int32)) > 1
    assert helpful_temperature(logits, np.array([0, 0, 0, 1], np.int32)) == 1


def test_bins_are_of_equal_width_and_in_their_order() -> None:
    scores = np.array([0.55, 0.65, 0.75, 0.95, 0.72, 0.85])
    probabilities = np.stack([scores, 1 - scores], axis=1)
    labels = np.array([0, 1, 0, 0, 0, 0], np.int32)

    found = reliability(probabilities, labels, bins=10)

    assert [each.count for each in found] == [1, 1, 2, 1, 1]
    assert [each.accuracy for each in found] == [1, 0, 1, 1, 1]
    assert [each.confidence for each in found] == pytest.approx([0.55, 0.65, 0.735, 0.85, 0.95])
    # Two bins make one of all texts.
    assert expected_calibration_error(probabilities, labels, bins=2) == pytest.approx(abs(5 / 6 - scores.mean()))


def test_the_last_bin_holds_a_score_of_one_and_not_its_neighbours() -> None:
    scores = np.array([1.0, 0.95, 0.85])
    right = np.array([False, True, True])

    assert binned_error(scores, right, bins=10) == pytest.approx((abs(1.0 - 0.05) + 0.15) / 3)


def test_the_same_texts_give_the_same_temperature() -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, 200).astype(np.int32)
    logits = generator.normal(size=(200, 2)).astype(np.float32)
    few = [slice(start, start + 10) for start in range(0, 200, 10)]

    first, second = ([helpful_temperature(logits[part], labels[part]) for part in few] for _ in range(2))

    assert first == second
