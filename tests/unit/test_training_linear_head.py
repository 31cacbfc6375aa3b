"""The linear head, against sklearn and data that is made to be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation.linear_head import ABSENT, Floats, Labels, fit_head, out_of_fold


def clouds(classes: int, each: int, seed: int = 0, spread: float = 0.6) -> tuple[Floats, Labels]:
    """Features around one random centre a class, of different lengths."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, 16))
    labels = np.repeat(np.arange(classes, dtype=np.int32), each)
    features = centres[labels] + spread * generator.normal(size=(len(labels), 16))
    return (features * generator.uniform(0.5, 2.0, (len(labels), 1))).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 5])
def test_it_answers_as_logistic_regression_on_features_of_unit_length(classes: int) -> None:
    features, labels = clouds(classes, each=40)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    truth = LogisticRegression(C=10.0, max_iter=1000).fit(unit, labels)

    head = fit_head(features, labels, classes, strength=10.0)

    mean_length = np.linalg.norm(features, axis=1).mean()
    logits = head.logits(unit * mean_length)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, truth.predict_proba(unit), atol=0.01)


def test_a_class_without_a_text_is_never_the_answer() -> None:
    features, labels = clouds(3, each=20)

    head = fit_head(features[labels != 1], labels[labels != 1], classes=4, strength=10.0)

    assert head.bias[[1, 3]].tolist() == [ABSENT, ABSENT]
    assert set(head.logits(features).argmax(axis=1)) == {0, 2}


def test_one_class_alone_is_always_the_answer() -> None:
    features, labels = clouds(1, each=5)

    assert set(fit_head(features, labels, classes=2, strength=10.0).logits(features).argmax(axis=1)) == {0}


def test_out_of_fold_no_text_is_judged_by_a_head_that_saw_its_label() -> None:
    # Labels at random: whoever saw them would know them, whoever did not is right as often as chance.
    generator = np.random.default_rng(1)
    features = generator.normal(size=(120, 200)).astype(np.float32)
    labels = generator.integers(0, 2, 120).astype(np.int32)

    seen = fit_head(features, labels, 2, strength=1000.0).logits(features).argmax(axis=1)
    unseen = out_of_fold(features, labels, 2, strength=1000.0, folds=4, seed=1).argmax(axis=1)

    assert np.mean(seen == labels) == 1.0
    assert np.mean(unseen == labels) < 0.7
