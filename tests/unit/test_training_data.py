from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from training.data.table import Table, normalized, read_table
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

    expected = Table(ROWS["post"], ROWS["tags"], {})
    assert table == expected
    assert table.sha256 == expected.sha256


def test_the_fingerprint_depends_on_texts_labels_and_order() -> None:
    tables = [
        Table(["a", "b"], ["x", "y"], {}),
        Table(["b", "a"], ["y", "x"], {}),
        Table(["a", "b"], ["x", "z"], {}),
        Table(["a", "c"], ["x", "y"], {}),
    ]

    assert len({table.sha256 for table in tables}) == 4


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "question": ["a", "b"], "kind": ["x", "y"]})

    table = read_table(_write(frame, tmp_path / "data.csv"), text="question", label="kind")

    assert (table.texts, table.labels) == (["a", "b"], ["x", "y"])


def test_numbers_as_labels_become_their_text(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text('{"post": "a", "tags": 1}\n{"post": "b", "tags": 2}\n')

    assert read_table(tmp_path / "data.jsonl").labels == ["1", "2"]


def test_a_missing_column_is_named_beside_those_that_are_there(tmp_path: Path) -> None:
    path = _write(pd.DataFrame({"text": ["a"], "tags": ["x"]}), tmp_path / "data.csv")

    with pytest.raises(BadData, match="no column post; it has text, tags"):
        read_table(path)


BAD = 'post,tags\ngood,x\n" ",x\nno label,\ntoo,many,fields\n,\nfine,y\n'


def test_bad_rows_are_dropped_and_counted_by_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(BAD)

    table = read_table(tmp_path / "data.csv")

    assert table == Table(["good", "fine"], ["x", "y"], {"malformed line": 1, "empty text": 2, "empty label": 1})


def test_bad_rows_can_be_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(BAD)

    with pytest.raises(BadData, match="malformed line: 1 rows, empty text: 2 rows, empty label: 1 rows"):
        read_table(tmp_path / "data.csv", bad_rows="refuse")


def test_missing_values_are_empty(tmp_path: Path) -> None:
    path = _write(pd.DataFrame({"post": ["a", None], "tags": ["x", "y"]}), tmp_path / "data.parquet")

    assert read_table(path).dropped == {"empty text": 1}


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("data.xlsx", b"", "unknown format"),
        ("data.csv", b"", "No columns"),
        ("data.csv", b"post,tags\n,\n", "no row has both"),
        ("data.csv", b"post,tags\n\xff\xfe,x\n", "utf-8"),
        ("data.jsonl", b"{oops", "data.jsonl"),
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
