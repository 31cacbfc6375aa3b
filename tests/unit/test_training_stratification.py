"""Iterative stratification, by what it promises."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.split import Split, split_sets
from training.data.table import normalized

label_sets = st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=4).map(sorted).map(tuple), min_size=1)
texts = st.sampled_from([f"text {n}" for n in range(30)] + ["Text 1", " text  2"])
SHARES = (0.8, 0.1, 0.1)


def _drawn(count: int, rates: dict[str, float], seed: int = 0) -> list[tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    return [tuple(label for label, rate in rates.items() if generator.random() < rate) for _ in range(count)]


def _parts(split: Split) -> list[list[int]]:
    return [part.tolist() for part in (split.train, split.validation, split.test)]


@given(label_sets, st.data(), st.floats(0, 0.49), st.floats(0, 0.49), st.integers(0, 3))
def test_every_row_is_in_one_part_equal_texts_in_the_same_and_every_label_is_learnt(
    label_sets: list[tuple[str, ...]], data: st.DataObject, validation: float, test: float, seed: int
) -> None:
    drawn = data.draw(st.lists(texts, min_size=len(label_sets), max_size=len(label_sets)))

    parts = _parts(split_sets(drawn, label_sets, validation, test, seed))

    assert sorted(chain.from_iterable(parts)) == list(range(len(drawn)))
    sides = [{normalized(drawn[row]) for row in part} for part in parts]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert {label for row in parts[0] for label in label_sets[row]} == {each for own in label_sets for each in own}


def test_each_label_has_its_share_in_every_part_to_a_text() -> None:
    label_sets = _drawn(2000, {"often": 0.4, "usual": 0.1, "seldom": 0.02, "rare": 0.006})

    parts = _parts(split_sets([f"text {n}" for n in range(2000)], label_sets, 0.1, 0.1, seed=1))

    totals = Counter(label for labels in label_sets for label in labels)
    for part, share in zip(parts, SHARES, strict=True):
        counts = Counter(label for row in part for label in label_sets[row])
        assert abs(len(part) - share * 2000) <= 1
        for label, total in totals.items():
            assert abs(counts[label] - share * total) <= 1, (label, share)


def test_rare_labels_are_on_both_sides_where_chance_loses_some() -> None:
    generator, sets = np.random.default_rng(0), [set[str]() for _ in range(3000)]
    for label in range(20):
        for row in generator.choice(3000, 10, replace=False):
            sets[row].add(f"label {label}")
    label_sets = [tuple(sorted(labels)) for labels in sets]
    names = [f"text {n}" for n in range(3000)]

    def without(rows: list[int]) -> int:
        return 20 - len({label for row in rows for label in label_sets[row]})

    stratified = split_sets(names, label_sets, 0.1, 0.1, seed=1)
    assert without(stratified.test.tolist()) == without(stratified.validation.tolist()) == 0
    assert without(generator.permutation(3000)[:300].tolist()) > 2


def test_the_seed_decides_and_a_part_without_a_share_stays_empty() -> None:
    label_sets = _drawn(200, {"a": 0.3, "b": 0.2})
    names = [f"text {n}" for n in range(200)]

    first, again, other = (_parts(split_sets(names, label_sets, 0.1, 0.0, seed)) for seed in (1, 1, 2))

    assert first == again != other
    assert first[2] == []
    assert len(first[1]) == 20
