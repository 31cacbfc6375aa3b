"""Word counts, the score to beat."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation import baseline

LABELS = 40


def table(texts: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Texts of ten words, of which two are more frequent with their label than with others."""
    generator = np.random.default_rng(seed)
    labels = np.arange(texts, dtype=np.int32) % LABELS
    words = generator.integers(300, size=(texts, 10))
    words[:, :2] = 300 + 2 * labels[:, None] + generator.integers(2, size=(texts, 2))
    words[generator.random(texts) < 0.2, :2] = 0
    return [" ".join(f"w{word}" for word in row) for row in words], labels


def test_word_counts_are_as_often_right_as_by_a_regression_of_all_labels_at_once() -> None:
    train, labels = table(1200, seed=1)
    test, truth = table(800, seed=2)

    [found] = baseline.logits(train, labels, [test], seed=1)

    vectorizer, features = baseline._word_frequencies(train)
    exact = LogisticRegression(C=baseline.STRENGTH, max_iter=1000).fit(features, labels)
    share = (found.argmax(axis=1) == truth).mean()
    assert share == pytest.approx((exact.predict(vectorizer.transform(test)) == truth).mean(), abs=0.02)
    assert 0.6 < share < 0.9
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(len(test)), abs=1e-4)


def test_word_counts_are_the_same_each_time_and_finite_where_they_are_sure() -> None:
    train, labels = ["red"] * 300 + ["blue"] * 300 + ["green"], np.repeat([0, 1, 2], [300, 300, 1]).astype(np.int32)

    first, again = (baseline.logits(train, labels, [["red", "blue", "pink"]], seed=3)[0] for _ in range(2))

    assert first.argmax(axis=1)[:2].tolist() == [0, 1]
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
