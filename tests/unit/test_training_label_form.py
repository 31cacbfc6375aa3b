"""What a table's label cells are taken for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from training.data.table import Table, read_table
from training.data.table_options import TableOptions
from training.errors import BadData

SETS = [("git",), (), ("pandas", "python"), ("python",), ("git", "pandas", "python"), ("pandas",)]
TEXTS = [f"text {number}" for number in range(len(SETS))]


def _csv(path: Path, cells: list[str]) -> Path:
    pd.DataFrame({"post": [f"text {n}" for n in range(len(cells))], "tags": cells}).to_csv(path, index=False)
    return path


def _read(folder: Path, cells: list[str], **options: Any) -> Table:
    return read_table(_csv(folder / "data.csv", cells), TableOptions(**options))


def _columns(path: Path) -> Path:
    marks = {label: [int(label in labels) for labels in SETS] for label in ("git", "pandas", "python")}
    pd.DataFrame({"post": TEXTS, "id": range(len(SETS)), **marks, "all": 1}).to_csv(path, index=False)
    return path


def _lists(path: Path) -> Path:
    rows = [{"post": text, "tags": list(labels) or None} for text, labels in zip(TEXTS, SETS, strict=True)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _parquet(path: Path) -> Path:
    pd.DataFrame({"post": TEXTS, "tags": [list(labels) for labels in SETS]}).to_parquet(path)
    return path


def test_lists_separators_and_columns_give_the_same_table(tmp_path: Path) -> None:
    found = [
        read_table(_lists(tmp_path / "lists.jsonl")),
        read_table(_parquet(tmp_path / "lists.parquet")),
        read_table(_columns(tmp_path / "columns.csv")),
        *(
            read_table(_csv(tmp_path / f"{number}.csv", cells))
            for number, cells in enumerate(
                [*([sign.join(labels) for labels in SETS] for sign in ("|", "; ", ", ")), [str([*own]) for own in SETS]]
            )
        ),
    ]

    for table in found:
        assert table.several
        assert (table.texts, table.label_sets, table.dropped) == (TEXTS, SETS, {})
        assert "several labels a text" in table.notes[-1]
        assert "0 to 3 of 3, none in 1 texts" in table.notes[-1]
    assert len({table.sha256 for table in found}) == 1
    assert "'git', 'pandas', 'python'" in found[2].notes[0]
    assert ["--label-" in table.notes[-1] for table in found] == [False, False, True, True, True, True, True]


@pytest.mark.parametrize(
    "cells",
    [
        ["Rome, Italy", "Paris, France", "Paris, Texas", "Turin, Italy", "Oslo"] * 3,
        ["Toys|Games", "Toys|Dolls", "Toys|Other", "Books|Fiction", "Books|Other", "Toys", "Books"] * 3,
        ["red|small", "red|large", "blue|small", "blue|large", "green|small", "green|large"] * 3,
        ["1", "1,5", "2", "2,5", "3", "3,5", "4", "4,5"] * 3,
        ["c;#", "c;++", "java"] * 3,
        ["[bug]", "[feature]", "[bug]", "[1]"],
        ["[1]", "[2]", "[1]"],
        ["git", "python", "pandas"] * 100 + ["git|python"],
    ],
    ids=["places", "paths", "compounds", "decimals", "signs", "brackets", "short lists", "a slip"],
)
def test_a_sign_in_labels_is_no_proof_of_several(tmp_path: Path, cells: list[str]) -> None:
    table = _read(tmp_path, cells)

    assert not table.several
    assert table.labels == cells


def test_labels_that_were_not_divided_are_told_with_the_option_that_would(tmp_path: Path) -> None:
    cells = ["red|small", "red|large", "blue|small"] * 3

    table = _read(tmp_path, cells)
    assert table.notes[-1] == "labels hold '|' and are not divided: --label-separator '|' would"

    divided = _read(tmp_path, cells, label_separator="|")
    assert divided.label_sets[:2] == [("red", "small"), ("large", "red")]


def test_a_table_that_would_be_divided_is_not_when_that_is_said(tmp_path: Path) -> None:
    cells = ["a", "b", "a|b", "c", "", "b|c"]

    assert _read(tmp_path, cells).several
    kept = _read(tmp_path, cells, label_separator="none")
    assert kept.labels == ["a", "b", "a|b", "c", "b|c"]
    assert kept.dropped == {"empty label": 1}


def test_the_columns_that_are_said_are_the_labels(tmp_path: Path) -> None:
    table = read_table(_columns(tmp_path / "data.csv"), TableOptions(label_columns="python, git"))

    assert table.classes == ["git", "python"]
    assert table.label_sets[2] == ("python",)


def test_what_is_neither_0_nor_1_in_a_column_of_labels_is_an_odd_row(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,a,b\none,1,0\ntwo,2,0\nthree,true,1.0\nfour,,0\n")

    table = read_table(tmp_path / "data.csv", TableOptions(label_columns="a,b"))

    assert table.label_sets == [("a",), ("a", "b"), ()]
    assert "line 3: '2' in column 'a'" in table.notes[1]


@pytest.mark.parametrize("cells", [("sales", "support"), ("0", "1")])
def test_the_only_column_beside_the_texts_has_the_labels_whatever_its_name(
    tmp_path: Path, cells: tuple[str, str]
) -> None:
    (tmp_path / "data.csv").write_text("team,body\n" + "".join(f"{cell},a text\n" for cell in cells))

    table = read_table(tmp_path / "data.csv")

    assert table.labels == list(cells)
    assert "columns 'body' and 'team'" in table.notes[0]


@pytest.mark.parametrize("name", ["review", "Comment", "tweet", "document", "description"])
def test_texts_are_found_by_what_their_column_is_usually_called(tmp_path: Path, name: str) -> None:
    (tmp_path / "data.csv").write_text(f"id,{name},sentiment\n1,good,positive\n2,bad,negative\n")

    table = read_table(tmp_path / "data.csv")

    assert (table.texts, table.labels) == (["good", "bad"], ["positive", "negative"])


def test_one_column_of_0_and_1_among_others_has_no_labels_to_find(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,spam,same\none,1,1\ntwo,0,1\n")

    with pytest.raises(BadData, match="which column has the labels"):
        read_table(tmp_path / "data.csv")


def test_a_single_list_among_labels_is_an_odd_row(tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "x"}, {"text": "b", "label": ["x", "y"]}, {"text": "c", "label": "y"}]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    table = read_table(tmp_path / "data.jsonl")

    assert (table.labels, table.several) == (["x", "y"], False)
    assert "line 2: a list where a text is meant" in table.notes[1]


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValidationError, match="--label-columns goes without"):
        TableOptions(label_columns="a,b", label_separator="|")
