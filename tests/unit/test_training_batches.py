from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.windows import LongReading
from training.data.batches import NO_TOKEN, Examples, bucket_lengths, fill, plan_epoch, plan_in_order, plan_pairs

lengths = st.lists(st.integers(2, 100), min_size=1, max_size=60).map(lambda each: np.array(each, np.int64))


def _padded_tokens(lengths: np.ndarray, buckets: tuple[int, ...]) -> int:
    return sum(min(bucket for bucket in buckets if bucket >= length) for length in lengths)


@given(lengths, st.integers(1, 4))
def test_buckets_hold_every_text_with_the_least_padding_possible(lengths: np.ndarray, count: int) -> None:
    longest = -(-int(lengths.max()) // 8) * 8
    shorter = range(8, longest, 8)
    choices = [
        (*some, longest)
        for size in range(min(count, len(shorter) + 1))
        for some in itertools.combinations(shorter, size)
    ]

    buckets = bucket_lengths(lengths, count)

    assert len(buckets) <= count
    assert _padded_tokens(lengths, tuple(buckets)) == min(_padded_tokens(lengths, choice) for choice in choices)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(2, 9), st.integers(0, 3))
def test_in_pairs_every_text_comes_with_one_of_its_label_and_hardly_any_comes_twice(
    labels: list[int], batch_size: int, epoch: int
) -> None:
    examples = Examples([np.ones(2 + n, np.int32) for n in range(len(labels))], np.array(labels, np.int32))

    plan = plan_pairs(examples, batch_size, seed=1, epoch=epoch)

    for planned in plan:
        first, second = np.split(planned.texts, 2)
        assert len(planned.texts) <= batch_size
        assert np.array_equal(examples.labels[first], examples.labels[second])
        assert all(a != b or labels.count(labels[a]) == 1 for a, b in zip(first, second, strict=True))
        assert planned.length >= examples.lengths[planned.texts].max()
    seen = np.concatenate([planned.texts for planned in plan]).tolist()
    assert set(seen) == set(range(len(labels)))
    assert len(seen) == len(labels) + sum(labels.count(label) % 2 for label in set(labels))


@given(lengths, st.integers(1, 4), st.integers(1, 9), st.integers(0, 3))
def test_an_epoch_has_every_text_once_and_at_most_one_batch_that_is_not_full(
    lengths: np.ndarray, count: int, batch_size: int, epoch: int
) -> None:
    plan = plan_epoch(lengths, bucket_lengths(lengths, count), batch_size, seed=1, epoch=epoch)

    texts = np.concatenate([planned.texts for planned in plan])
    assert sorted(texts.tolist()) == list(range(len(lengths)))
    assert len(plan) == -(-len(lengths) // batch_size)
    assert all(lengths[planned.texts].max() <= planned.length for planned in plan)


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    lengths = np.full(100, 10, np.int64)

    def order(seed: int, epoch: int) -> list[int]:
        plan = plan_epoch(lengths, [16], 8, seed, epoch)
        return [int(text) for planned in plan for text in planned.texts]

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2)
    assert order(1, 1) != order(2, 1)


def test_prediction_takes_the_texts_by_length() -> None:
    lengths = np.array([30, 5, 17, 6], np.int64)

    plan = plan_in_order(lengths, [8, 24, 32], batch_size=2)

    assert [(planned.length, planned.texts.tolist()) for planned in plan] == [(8, [1, 3]), (32, [2, 0])]


def test_rows_that_only_fill_a_batch_weigh_nothing() -> None:
    examples = Examples([np.array([2, 7, 3], np.int32), np.array([2, 3], np.int32)], np.array([1, 4], np.int32))
    (planned,) = plan_in_order(examples.lengths, [8], batch_size=3)

    batch = fill(examples, planned, batch_size=3)

    none = NO_TOKEN
    assert batch.ids.tolist() == [[2, 3, *[none] * 6], [2, 7, 3, *[none] * 5], [none] * 8]
    assert batch.labels.tolist() == [4, 1, 0]
    assert batch.weights.tolist() == [1, 1, 0]


@pytest.mark.parametrize("count", [1, 3, 9])
def test_no_more_buckets_than_lengths(count: int) -> None:
    assert bucket_lengths(np.array([5, 6, 7, 20], np.int64), count) == ([24] if count == 1 else [8, 24])


WINDOWED = Examples.in_windows(
    [[np.full(3, 1)], [np.full(8, 2), np.full(8, 3), np.full(8, 4)], [np.full(8, 5), np.full(8, 6)]],
    np.array([7, 8, 9], np.int32),
)
"""A short text, and two that are read in windows."""


def test_every_window_has_the_label_of_its_text_and_all_of_a_text_count_as_one() -> None:
    assert WINDOWED.labels.tolist() == [7, 8, 8, 8, 9, 9]
    assert WINDOWED.shares.tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2])
    assert WINDOWED.text_labels.tolist() == [7, 8, 9]


def test_texts_are_taken_with_all_their_windows() -> None:
    found = WINDOWED.of_texts(np.array([2, 0]))

    assert [int(ids[0]) for ids in found.ids] == [5, 6, 1]
    assert found.text_labels.tolist() == [9, 7]
    assert found.shares.tolist() == [0.5, 0.5, 1]


@pytest.mark.parametrize(("long", "expected"), [("mean", [[1, 0], [3, 2], [5, 9]]), ("max", [[1, 0], [5, 6], [6, 9]])])
def test_what_is_said_of_windows_makes_what_is_said_of_texts(long: LongReading, expected: list[list[float]]) -> None:
    rows = np.array([[1, 0], [1, 6], [3, 0], [5, 0], [4, 9], [6, 9]], np.float32)

    assert WINDOWED.pooled(rows, long).tolist() == expected


def test_texts_of_one_window_each_are_as_without_windows() -> None:
    plain = Examples.in_windows([[np.ones(3, np.int32)], [np.ones(4, np.int32)]], np.array([0, 1], np.int32))
    rows = np.array([[1, 2], [3, 4]], np.float32)

    assert plain.owners is None
    assert plain.pooled(rows, "max") is rows
    assert plain.shares.tolist() == [1, 1]
