from __future__ import annotations

from collections import Counter
from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.corpus import build_corpus
from training.data.split import Split, split, split_labels, split_sets
from training.data.table import Table, normalized, one_label_table
from training.errors import BadData
from training.hyperparameters import HyperParameters

texts = st.lists(st.sampled_from([f"text {n}" for n in range(20)] + ["Text 1", " text  1"]), min_size=1, max_size=60)


@given(texts, st.data(), st.floats(0, 0.49), st.floats(0, 0.49), st.integers(0, 5))
def test_every_row_is_in_one_part_and_equal_texts_in_the_same(
    texts: list[str], data: st.DataObject, validation: float, test: float, seed: int
) -> None:
    labels = data.draw(st.lists(st.sampled_from("abc"), min_size=len(texts), max_size=len(texts)))

    parts = split_labels(texts, labels, validation, test, seed)

    rows = [parts.train, parts.validation, parts.test]
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(texts)))
    sides = [{normalized(texts[row]) for row in part} for part in rows]
    assert sum(map(len, sides)) == len(set().union(*sides))


def test_every_label_has_its_share_in_every_part() -> None:
    labels = ["often"] * 800 + ["seldom"] * 100 + ["rare"] * 20
    parts = split_labels([f"text {n}" for n in range(920)], labels, 0.1, 0.2, seed=1)

    counts = [Counter(labels[row] for row in part) for part in (parts.train, parts.validation, parts.test)]

    assert counts[0] == {"often": 560, "seldom": 70, "rare": 14}
    assert counts[1] == {"often": 80, "seldom": 10, "rare": 2}
    assert counts[2] == {"often": 160, "seldom": 20, "rare": 4}


def test_a_label_with_one_text_is_learnt_from() -> None:
    parts = split_labels(["a", "b", "c"], ["x", "x", "alone"], 0.4, 0.4, seed=1)

    assert 2 in parts.train


def test_equal_texts_count_for_the_label_that_most_of_them_have() -> None:
    texts, labels = ["same", "Same", " same", "other"], ["x", "y", "y", "x"]

    parts = split_labels(texts, labels, 0.4, 0.4, seed=1)

    assert parts.train.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("several", [False, True])
def test_a_table_is_divided_by_label_or_by_labels(several: bool) -> None:
    texts, labels = [f"text {n}" for n in range(60)], ["abc"[n % 3] for n in range(60)]
    table = replace(one_label_table(texts, labels), several=several)

    parts = split(table, 0.1, 0.0, 3)

    expected = split_sets(texts, table.label_sets, 0.1, 0.0, 3) if several else split_labels(texts, labels, 0.1, 0.0, 3)
    assert [part.tolist() for part in astuple(parts)] == [part.tolist() for part in astuple(expected)]
    assert {part.dtype.name for part in astuple(parts)} == {"int64"}


def test_the_seed_decides() -> None:
    rows, labels = [f"text {n}" for n in range(100)], ["x"] * 100

    def test_part(seed: int) -> list[int]:
        part: list[int] = split_labels(rows, labels, 0.1, 0.1, seed).test.tolist()
        return part

    assert test_part(1) == test_part(1)
    assert test_part(1) != test_part(2)


def _table(prefix: str, count: int = 40, labels: str = "ab") -> Table:
    return one_label_table([f"{prefix} {n}" for n in range(count)], [labels[n % len(labels)] for n in range(count)])


def test_files_of_ones_own_are_the_parts_and_the_rest_is_divided() -> None:
    train, validation = _table("train"), _table("validation", 10)

    corpus = build_corpus(train, HyperParameters(test=0.2), validation=validation)

    assert corpus.parts.validation.tolist() == list(range(40, 50))
    assert len(corpus.parts.test) == 8
    assert len(corpus.parts.train) == 32
    assert [corpus.table.texts[row] for row in corpus.parts.validation] == validation.texts
    others = [build_corpus(train, HyperParameters()), build_corpus(train, HyperParameters(), test=validation)]
    assert corpus.sha256 not in [other.sha256 for other in others]


def test_texts_that_leaked_into_ones_own_test_file_are_counted() -> None:
    corpus = build_corpus(_table("same"), HyperParameters(), test=_table("SAME", 4))

    leaked = {normalized(text) for text in ("same 0", "same 1", "same 2", "same 3")}
    learnt = {corpus.table.texts[row] for row in corpus.parts.train}
    assert corpus.leaked == len(leaked & learnt) > 0


@pytest.mark.parametrize(
    ("train", "test", "complaint"),
    [
        (_table("t", labels="a"), None, "only one label, 'a'"),
        (_table("t", 4), None, "4 texts are too few: none is left for validation"),
        (_table("t"), _table("u", 4, labels="az"), "no training text has the label 'z'"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(train: Table, test: Table | None, complaint: str) -> None:
    with pytest.raises(BadData, match=complaint):
        build_corpus(train, HyperParameters(), test=test)


def test_parts_can_be_replaced() -> None:
    none = np.empty(0, np.int64)

    assert Split(none, none, none).with_rows("test", np.array([1])).test.tolist() == [1]


def test_labels_with_five_texts_each_still_give_a_tenth() -> None:
    labels = [f"label {number}" for number in range(40) for _ in range(5)]
    texts = [f"text {number}" for number in range(len(labels))]

    parts = split_labels(texts, labels, 0.1, 0.1, seed=1)

    assert (len(parts.validation), len(parts.test)) == (20, 20)
    assert {labels[row] for row in parts.train} == set(labels)
