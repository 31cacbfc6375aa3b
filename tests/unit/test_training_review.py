"""The score below which a person should look keeps its promise on texts that it was not chosen by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.evaluation.evaluate import HeldOutPredictions, review_scores
from training.evaluation.labelling import labelling
from training.evaluation.review import choose_review_below, fit_review_below, review


def answers(texts: int, seed: int, gap: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores, and whether each answer is right: as likely as its score says, less `gap`."""
    generator = np.random.default_rng(seed)
    scores = generator.beta(6, 1, texts)
    return scores, generator.random(texts) < scores - gap


@pytest.mark.parametrize(("asked", "gap"), [(0.9, 0.0), (0.95, 0.0), (0.9, 0.05)])
def test_answers_above_the_bound_are_right_as_often_as_asked_elsewhere_too(asked: float, gap: float) -> None:
    promised = []
    for seed in range(20):
        below = choose_review_below(*answers(1000, seed, gap), asked)
        if below is None:
            continue
        promised.append(review(*answers(20_000, 1000 + seed, gap), below).accuracy)
    assert np.mean(promised) >= asked
    assert np.mean(np.array(promised) >= asked - 0.005) >= 0.9


def test_no_more_is_given_to_people_than_the_promise_needs() -> None:
    scores, right = answers(50_000, 0)
    below = choose_review_below(scores, right, 0.95)
    assert below is not None
    found = review(scores, right, below)
    assert found.accuracy == pytest.approx(0.95, abs=0.003)
    assert found.share == np.mean(np.round(scores, 6) >= below)


def test_a_model_that_is_right_often_enough_anyway_gives_nothing_to_people() -> None:
    scores, right = answers(1000, 0)
    assert choose_review_below(scores, np.ones_like(right), 0.95) == 0.0


def test_a_model_whose_surest_answers_are_wrong_has_no_bound() -> None:
    scores, right = answers(1000, 0)
    assert choose_review_below(scores, np.zeros_like(right), 0.95) is None


def test_answers_of_one_score_are_on_one_side() -> None:
    scores = np.array([0.9] * 100 + [0.5] * 100)
    right = np.array([True] * 100 + [True] * 20 + [False] * 80)
    assert choose_review_below(scores, right, 0.9) == 0.9


def test_a_bound_is_not_chosen_by_a_handful_of_answers() -> None:
    assert choose_review_below(np.full(20, 0.9), np.ones(20, bool), 0.95) is None


def test_the_interval_is_the_exact_one() -> None:
    """Of 95 right among 100, as tables of Clopper and Pearson have it."""
    found = review(np.full(100, 0.9), np.arange(100) < 95, 0.5)
    assert (found.low, found.high) == pytest.approx((0.8872, 0.9836), abs=1e-4)
    assert review(np.full(10, 0.9), np.ones(10, bool), 0.5).high == 1.0


def drawn() -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Logits of 4,000 texts, and labels that are as likely as they say at a temperature of 1.5."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (4000, 4)).astype(np.float32)
    probabilities = np.exp(logits / 1.5) / np.exp(logits / 1.5).sum(axis=1, keepdims=True)
    return logits, np.array([generator.choice(4, p=row / row.sum()) for row in probabilities], np.int32)


def test_the_bound_is_chosen_by_calibrated_scores_and_measured_on_the_held_out_texts() -> None:
    logits, labels = drawn()

    below = fit_review_below(logits[:2000], labels[:2000], 1.5, 0.9)
    held = HeldOutPredictions(
        texts=["text"] * 2000, labels=labels[2000:], logits=logits[2000:], temperature=1.5, review_below=below
    )

    found = review_scores(held)
    assert found["review_accuracy"] == pytest.approx(0.91, abs=0.02)
    assert found["review_accuracy_low"] < found["review_accuracy"] < found["review_accuracy_high"]
    assert 0.1 < found["review_share"] < 0.9
    assert review_scores(replace(held, review_below=None)) == {}
    assert review_scores(replace(held, review_below=1.0)) == {"review_share": 0.0}


def test_a_model_carries_the_bound_for_the_accuracy_that_is_asked_for_and_says_what_it_is_worth() -> None:
    logits, labels = drawn()
    way = labelling(several=False, sure=0.9)

    held = way.held_out(["text"] * 2000, labels[2000:], logits[2000:], (logits[:2000], labels[:2000]))

    assert held.review_below == fit_review_below(logits[:2000], labels[:2000], held.temperature, 0.9)
    assert held.manifest_fields == {"temperature": held.temperature, "review_below": held.review_below}
    [line] = way.choices(held, metrics := way.metrics(held))
    assert f"review_below {held.review_below:.4f}, for 90.0% right above it" in line
    assert f"{metrics['review_accuracy']:.1%}" in line
    assert f"{metrics['review_share']:.1%} of them are above" in line
