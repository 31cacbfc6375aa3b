"""What fine-tuning starts from."""

from __future__ import annotations

import numpy as np
import pytest

from contract.artifact import Pooling
from training.evaluation.linear_head import Floats, Labels
from training.fit.start import TRIED_A_LABEL, TRIED_TEXTS, _tried, choose_start
from training.hyperparameters import HyperParameters


def near(classes: int, labels: Labels, noise: float, seed: int) -> Floats:
    """Features that lie so far from those of their label."""
    generator = np.random.default_rng(seed)
    scattered = generator.normal(size=(classes, 24))[labels] + noise * generator.normal(size=(len(labels), 24))
    features: Floats = scattered.astype(np.float32)
    return features


@pytest.mark.parametrize("best", ["mean", "first"])
def test_the_pooling_that_tells_labels_apart_is_chosen(best: Pooling) -> None:
    labels = (np.arange(600) % 6).astype(np.int32)
    poolings: tuple[Pooling, ...] = ("mean", "first", "pooler")
    features = {each: near(6, labels, 0.8 if each == best else 1.6, seed) for seed, each in enumerate(poolings)}

    start = choose_start(features, labels, HyperParameters())

    assert start.pooling == best
    assert start.head.weight.shape == (6, 24)


@pytest.mark.parametrize(("middle", "strength"), [(0.0, 10.0), (20.0, 100.0)])
@pytest.mark.parametrize("classes", [20, 300])
def test_features_that_lie_close_together_want_a_weak_penalty_however_many_labels_there_are(
    classes: int, middle: float, strength: float
) -> None:
    labels = (np.arange(20 * classes) % classes).astype(np.int32)
    features = middle + near(classes, labels, 1.0, seed=1)

    assert choose_start({"mean": features}, labels, HyperParameters()).strength == strength


def test_of_many_labels_those_that_are_tried_have_some_texts_each() -> None:
    labels = np.random.default_rng(1).integers(700, size=30_000).astype(np.int32)

    tried = _tried(labels, seed=1)

    assert len(tried) == len(np.unique(tried)) == TRIED_TEXTS
    assert np.unique(labels[tried], return_counts=True)[1].mean() == TRIED_A_LABEL
