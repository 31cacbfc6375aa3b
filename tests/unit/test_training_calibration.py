from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from training.evaluation.calibration import (
    Bin,
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
