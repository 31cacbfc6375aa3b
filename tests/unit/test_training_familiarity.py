"""How far texts are from what was learnt, and from where on they are strange."""

from __future__ import annotations

import numpy as np
import pytest

from training.data.split import Rows
from training.evaluation.familiarity import MOST_TEXTS, Familiarity, distances, fit_familiarity, label_means
from training.evaluation.labelling import labelling
from training.evaluation.linear_head import Floats

HIDDEN, LABELS = 32, 5
CENTRES = np.random.default_rng(0).normal(size=(LABELS, HIDDEN))


def texts(count: int, seed: int, centres: np.ndarray = CENTRES) -> tuple[Floats, np.ndarray]:
    """Features around the centres of their labels, of lengths that mean nothing, and the labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(centres), count).astype(np.int32)
    features = (centres[labels] + generator.normal(0, 0.4, (count, HIDDEN))) * generator.uniform(0.5, 5, (count, 1))
    return features.astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted() -> Familiarity:
    features, labels = texts(600, seed=1)
    means = label_means(features.__getitem__, labelling(several=False).groups(labels), seed=1)
    near, held = (distances(texts(count, seed=seed)[0], means) for count, seed in ((1000, 2), (5000, 3)))
    found = fit_familiarity(means, near=near, held=held)
    assert found is not None
    return found


def test_the_distance_is_that_of_the_nearest_mean_whatever_the_length() -> None:
    means = np.eye(3, dtype=np.float32)
    features = np.array([[9, 0, 0], [0, 3, 4], [-1, 0, 0]], np.float32)

    assert distances(features, means).tolist() == pytest.approx([0, 0.2, 1])


def test_one_in_a_hundred_of_the_own_kind_is_strange_and_nearly_all_of_another(fitted: Familiarity) -> None:
    others = texts(2000, seed=4, centres=np.random.default_rng(9).normal(size=(LABELS, HIDDEN)))[0]

    assert fitted.metrics["unfamiliar_share"] == pytest.approx(0.01, abs=0.006)
    assert (distances(others, fitted.means) > fitted.above).mean() > 0.98


def test_it_is_said_what_the_bound_is_worth(fitted: Familiarity) -> None:
    assert f"of the held-out texts {fitted.metrics['unfamiliar_share']:.1%} are further" in fitted.reason
    assert (fitted.detector.method, fitted.detector.threshold) == ("nearest-mean", fitted.above)


def test_a_handful_of_texts_tells_no_bound() -> None:
    means = np.eye(HIDDEN, dtype=np.float32)
    found = distances(texts(100, seed=1)[0], means)

    assert fit_familiarity(means, near=found[:49], held=found) is None
    assert fit_familiarity(means, near=found[:50], held=found) is not None


def test_the_means_are_of_as_many_texts_of_each_label() -> None:
    features, labels = texts(20_000, seed=5)
    read: list[Rows] = []

    def reading(rows: Rows) -> Floats:
        read.append(rows)
        return features[rows]

    means = label_means(reading, labelling(several=False).groups(labels), seed=1)

    [rows] = read
    assert np.bincount(labels[rows]).tolist() == [MOST_TEXTS // LABELS] * LABELS
    unit = CENTRES / np.linalg.norm(CENTRES, axis=1, keepdims=True)
    np.testing.assert_allclose(means, unit, atol=0.06)


def test_texts_with_several_labels_count_for_each_and_those_without_any_are_a_kind_of_their_own() -> None:
    marks = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 0]], np.int32)

    assert [group.tolist() for group in labelling(several=True).groups(marks)] == [[0], [0, 1], [2]]
