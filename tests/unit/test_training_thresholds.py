"""Thresholds of labels: against brute force, and by what they promise on texts that they were not chosen by."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score, precision_score

from training.evaluation.linear_head import Floats, Labels
from training.evaluation.thresholds import GRID, choose_thresholds, chosen_thresholds


def drawn(texts: int, rates: list[float], seed: int, sharpness: float = 2.0) -> tuple[Floats, Labels]:
    """Scores of labels of these rates, higher for texts that have them, and the labels."""
    generator = np.random.default_rng(seed)
    marks = (generator.random((texts, len(rates))) < rates).astype(np.int32)
    logits = sharpness * (2 * marks - 1) - 1 + generator.normal(0, 1.5, marks.shape)
    return expit(logits).astype(np.float32), marks


def test_no_threshold_has_a_better_f1() -> None:
    probabilities, marks = drawn(300, [0.4, 0.1, 0.03], seed=1)

    chosen = choose_thresholds(probabilities, marks, prior=0.0)

    for label, threshold in enumerate(chosen):
        tried = [f1_score(marks[:, label], probabilities[:, label] >= each, zero_division=0.0) for each in GRID]
        assert f1_score(marks[:, label], probabilities[:, label] >= threshold) == pytest.approx(max(tried))


def test_for_a_precision_no_lower_threshold_would_do() -> None:
    probabilities, marks = drawn(4000, [0.3, 0.1], seed=2)

    chosen = choose_thresholds(probabilities, marks, precision=0.9, prior=0.0)

    for label, threshold in enumerate(chosen):
        own = [precision_score(marks[:, label], probabilities[:, label] >= each, zero_division=1.0) for each in GRID]
        place = int(np.searchsorted(GRID, threshold))
        assert min(own[place:]) >= 0.9
        assert own[place - 3] < 0.92, "more recall was to be had"


def test_a_label_without_a_text_gets_the_threshold_of_all_together() -> None:
    probabilities, marks = drawn(400, [0.3, 0.3, 0.3], seed=3)
    marks[:, 2] = 0
    probabilities[:, 2] = 0.001

    alone = choose_thresholds(probabilities[:, :2], marks[:, :2], prior=1e9)
    chosen = choose_thresholds(probabilities, marks)

    assert chosen[2] == pytest.approx(alone[0], abs=0.05)


def test_what_is_rare_is_chosen_better_with_what_all_labels_do() -> None:
    rates = [0.01] * 30
    known, marks = drawn(500, rates, seed=4)
    others, truth = drawn(20_000, rates, seed=5)

    def held_out_f1(prior: float) -> float:
        return float(f1_score(truth, others >= choose_thresholds(known, marks, prior=prior), average="macro"))

    assert held_out_f1(5.0) > held_out_f1(0.0) + 0.02


@pytest.mark.parametrize("precision", [0.8, 0.95])
def test_a_precision_that_is_asked_for_is_kept_on_other_texts(precision: float) -> None:
    rates = [0.3, 0.1, 0.03, 0.02, 0.01, 0.01]

    kept = []
    for seed in range(10, 20):
        chosen = choose_thresholds(*drawn(600, rates, seed), precision=precision)
        others, truth = drawn(20_000, rates, seed + 100)
        predicted = others >= chosen
        kept.append((truth * predicted).sum() / predicted.sum())

    assert np.mean(kept) >= precision
    assert np.mean(np.array(kept) >= precision - 0.01) >= 0.8


def test_what_no_threshold_can_give_gets_one_that_next_to_nothing_reaches() -> None:
    generator = np.random.default_rng(6)
    probabilities, marks = generator.random((500, 2)).astype(np.float32), generator.integers(0, 2, (500, 2), np.int32)

    assert choose_thresholds(probabilities, marks, precision=0.99).min() > probabilities.max() - 0.01


@pytest.mark.parametrize(("precision", "aim"), [(None, "the best F1"), (0.95, "a precision of 0.95")])
def test_what_thresholds_are_for_and_worth_is_said(precision: float | None, aim: str) -> None:
    metrics = {"micro_precision": 0.951, "micro_recall": 0.5}

    assert chosen_thresholds(np.array([0.25, 0.9, 0.5], np.float32), metrics, precision) == (
        f"thresholds 0.250 to 0.900, for {aim}: on the held-out texts precision 95.1%, recall 50.0%"
    )
