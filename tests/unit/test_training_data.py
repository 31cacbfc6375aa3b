from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from pydantic import ValidationError

from tests.table_cases import CASES, REFUSED, TableCase
from training.data.table import normalized, one_label_table, read_table
from training.data.table_options import TableOptions
from training.errors import BadData

ROWS = {"post": ["How to, sort?", 'He said "no"', "NA", "日本語\nzwei Zeilen"], "tags": ["python", "c#", "r", "1"]}


def _write(frame: pd.DataFrame, path: Path) -> Path:
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
        case ".parquet":
            frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_table_and_fingerprint(tmp_path: Path, suffix: str) -> None:
    table = read_table(_write(pd.DataFrame(ROWS), tmp_path / f"data{suffix}"))

    expected = one_label_table(ROWS["post"], ROWS["tags"])
    assert table == expected
    assert table.sha256 == expected.sha256


def test_every_row_knows_its_line_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text('post,tags\ngood,x\n,x\n"on two\nlines",y\nlast,x\n', encoding="utf-8")

    table = read_table(path)

    assert table.texts == ["good", "on two\nlines", "last"]
    assert [place.line for place in table.places] == [2, 5, 6]
    assert {place.file for place in table.places} == {"data.csv"}


def test_the_fingerprint_depends_on_texts_labels_and_order() -> None:
    tables = [
        one_label_table(["a", "b"], ["x", "y"]),
        one_label_table(["b", "a"], ["y", "x"]),
        one_label_table(["a", "b"], ["x", "z"]),
        one_label_table(["a", "c"], ["x", "y"]),
    ]

    assert len({table.sha256 for table in tables}) == 4


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_training_reads_tables_as_the_client_does(case: TableCase, tmp_path: Path) -> None:
    path = tmp_path / f"data{case.suffix}"
    path.write_bytes(case.content)

    table = read_table(path, TableOptions(**case.options))

    assert list(zip(table.texts, table.labels, strict=True)) == case.rows
    assert case.noted in table.notes[0]
    assert [int(line) for line in re.findall(r"left out line (\d+)", "\n".join(table.notes))] == case.odd_lines
    assert table.dropped == ({"odd row": len(case.odd_lines)} if case.odd_lines else {})


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_training_refuses_what_the_client_refuses(case: TableCase, tmp_path: Path) -> None:
    path = tmp_path / f"data{case.suffix}"
    path.write_bytes(case.content)

    with pytest.raises(BadData, match=f"{re.escape(str(path))}.*{case.noted}"):
        read_table(path, TableOptions(**case.options))


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "question": ["a", "b"], "kind": ["x", "y"]})

    table = read_table(_write(frame, tmp_path / "data.csv"), TableOptions(text_column="question", label_column="kind"))

    assert (table.texts, table.labels) == (["a", "b"], ["x", "y"])


@pytest.mark.parametrize("names", [("text", "label"), ("Question ", "Category"), ("post", "TAGS"), ("body", "intent")])
def test_columns_with_usual_names_are_found_and_named(tmp_path: Path, names: tuple[str, str]) -> None:
    path = _write(pd.DataFrame({"id": [1], names[0]: ["a"], names[1]: ["x"]}), tmp_path / "data.csv")

    table = read_table(path)

    assert (table.texts, table.labels) == (["a"], ["x"])
    assert all(repr(name) in table.notes[0] for name in names)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_labels_that_are_numbers_stay_as_they_were_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"data{suffix}"
    if suffix == ".jsonl":
        path.write_text('{"post":"a","tags":1}\n{"post":"b","tags":null}\n{"post":"c","tags":2}\n')
    else:  # pandas makes floats of whole numbers beside a missing one
        pd.DataFrame({"post": ["a", "b", "c"], "tags": [1, None, 2]}).to_parquet(path)

    table = read_table(path)

    assert (table.labels, table.dropped) == (["1", "2"], {"empty label": 1})
    assert "empty label: line 2" in table.notes


@pytest.mark.parametrize("value", ['{"a": 1}', "[1]", '"\\ud800"'])
def test_what_is_no_text_is_an_odd_row(tmp_path: Path, value: str) -> None:
    (tmp_path / "data.jsonl").write_text(f'{{"post":"a","tags":"x"}}\n{{"post":{value},"tags":"x"}}\n')

    table = read_table(tmp_path / "data.jsonl")

    assert (table.texts, table.dropped) == (["a"], {"odd row": 1})
    assert "left out line 2" in table.notes[1]


def test_a_missing_column_is_named_beside_those_that_are_there_and_the_option_that_says_it(tmp_path: Path) -> None:
    path = _write(pd.DataFrame({"words": ["a"], "tags": ["x"]}), tmp_path / "data.csv")

    with pytest.raises(BadData, match=r"which column has the texts\? It has words, tags: say --text-column NAME"):
        read_table(path)
    with pytest.raises(BadData, match=r"no column 'tag': did you mean 'tags'\? It has words, tags"):
        read_table(path, TableOptions(text_column="words", label_column="tag"))
    with pytest.raises(BadData, match=r"no column 'colour'\. It has words, tags"):
        read_table(path, TableOptions(text_column="words", label_column="colour"))


BAD = 'post,tags\ngood,x\n" ",x\nno label,\ntoo,many,fields\n,\nfine,y\n'


def test_bad_rows_are_dropped_counted_by_what_is_wrong_and_named(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(BAD)

    table = read_table(tmp_path / "data.csv")

    assert table == one_label_table(["good", "fine"], ["x", "y"], {"odd row": 1, "empty text": 2, "empty label": 1})
    assert table.notes[1:] == [
        "left out line 5: 3 cells, the header has 2",
        "empty text: line 3, 6",
        "empty label: line 4",
    ]


def test_bad_rows_can_be_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(BAD)
    with pytest.raises(BadData, match="line 5: 3 cells"):
        read_table(tmp_path / "data.csv", TableOptions(bad_rows="refuse"))

    (tmp_path / "data.csv").write_text("post,tags\na,x\n,x\n")
    with pytest.raises(BadData, match="empty text: 1 rows"):
        read_table(tmp_path / "data.csv", TableOptions(bad_rows="refuse"))


def test_more_than_a_few_odd_rows_stop_the_reading(tmp_path: Path) -> None:
    rows = ["good,x"] * 50 + ["too,many,cells"] * 11
    (tmp_path / "data.csv").write_text("\n".join(["post,tags", *rows]))

    with pytest.raises(BadData, match=r"more than 10 odd rows: line 52: .*--odd-rows"):
        read_table(tmp_path / "data.csv")
    assert len(read_table(tmp_path / "data.csv", TableOptions(odd_rows=11))) == 50


@pytest.mark.parametrize(("option", "value"), [("delimiter", "ab"), ("encoding", "utf-9"), ("odd_rows", -1)])
def test_an_option_that_cannot_be_meant_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValidationError, match=str(value)):
        TableOptions.model_validate({option: value})


def test_a_tab_may_be_spelt_out() -> None:
    assert {TableOptions(delimiter=spelt).reading.delimiter for spelt in ("tab", "\\t", "\t")} == {"\t"}


def test_missing_values_are_empty(tmp_path: Path) -> None:
    path = _write(pd.DataFrame({"post": ["a", None], "tags": ["x", "y"]}), tmp_path / "data.parquet")

    assert read_table(path).dropped == {"empty text": 1}


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("data.xlsx", b"", "unknown format"),
        ("data.csv", b"post,tags\n,\n", "no row has both"),
        ("data.parquet", b"not parquet", "data.parquet"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(BadData, match=complaint):
        read_table(tmp_path / name)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="No such file"):
        read_table(tmp_path / "data.csv")


def test_texts_are_the_same_but_for_case_and_spacing() -> None:
    assert normalized(" How  to\nSORT ") == normalized("how to sort")
    assert normalized("how to sort?") != normalized("how to sort")
