"""Tables come in as they were written and go out so that others can read them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retort_client.cli import tables
from retort_client.cli.answer_columns import AnswerColumns
from retort_client.cli.errors import BadInput
from retort_client.cli.label_cells import OneLabel
from retort_client.cli.table_rows import Format, Reading
from retort_client.cli.tables import Writer
from retort_client.documents import Prediction, Scored, TextError, answer
from tests.table_cases import CASES, REFUSED, TableCase


def read(data: bytes, written: Format = Format.CSV) -> list[dict[str, object]]:
    return [dict(row.cells) for row in tables.read(io.BytesIO(data), "q", written).rows]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@pytest.mark.parametrize("written", Format)
@given(rows=st.lists(st.fixed_dictionaries({"a": cells, "ü b": cells}), min_size=1, max_size=8))
def test_what_was_written_is_read_again(written: Format, rows: list[dict[str, str]]) -> None:
    writer = Writer(["a", "ü b"], written)
    assert read(writer.header() + writer.rows(rows), written) == rows


@given(rows=st.lists(st.fixed_dictionaries({"a": cells, "b": cells}), min_size=1, max_size=8))
def test_csv_is_what_the_standard_library_reads(rows: list[dict[str, str]]) -> None:
    writer = Writer(["a", "b"], Format.CSV)
    text = (writer.header() + writer.rows(rows)).decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == rows


def table_of(case: TableCase, odd_rows: int = 10) -> tuple[list[tuple[str, str]], str]:
    """Rows and notes of a case."""
    reading = Reading(odd_rows=odd_rows, **case.options)
    found = tables.read(io.BytesIO(case.content), "q", tables.format_of(Path(f"q{case.suffix}")), reading)
    return [(row.cells["post"], row.cells["tags"]) for row in found.rows], ", ".join(found.notes)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_client_reads_tables_as_training_does(case: TableCase) -> None:
    rows, notes = table_of(case)

    assert rows == case.rows
    assert case.noted in notes if case.noted else not notes


@pytest.mark.parametrize("case", [case for case in CASES if case.odd_lines], ids=lambda case: case.name)
def test_a_row_that_cannot_be_read_is_refused_with_its_line_unless_it_may_be_left_out(case: TableCase) -> None:
    with pytest.raises(BadInput, match=f"q, line {case.odd_lines[0]}: "):
        table_of(case, odd_rows=0)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_the_client_refuses_what_training_refuses(case: TableCase) -> None:
    with pytest.raises(BadInput, match=f"^q.*{case.noted}"):
        table_of(case)


@pytest.mark.parametrize("module", ["table_rows.py", "table_lines.py", "decoding.py"])
def test_training_and_the_client_hold_the_same_reader(module: str) -> None:
    root = Path(__file__).parents[3]
    assert (root / "client/retort_client/cli" / module).read_bytes() == (root / "training/data" / module).read_bytes()


def test_lines_are_numbered_as_an_editor_does() -> None:
    found = tables.read(io.BytesIO(b'post\n"two\nlines"\n\nb\n'), "q", Format.CSV)
    assert [row.line for row in found.rows] == [3, 5]


@pytest.mark.parametrize(
    ("data", "written", "told"),
    [
        (b"", Format.CSV, "q: no header line"),
        (b"a,a\n1,2\n", Format.CSV, "two columns have the same name"),
        (b"a,b\n1,2\n3\n", Format.CSV, "q, line 3: 1 cells, the header has 2"),
        (b'a,b\n1,"never closed\n', Format.CSV, "q, line 2: a quotation mark is never closed"),
        (b"a,b\n1,\x81\n", Format.CSV, "q, after line .*can't decode byte 0x81"),
        (b'{"a": 1}\n[1]\n', Format.JSONL, "q, line 2: not a JSON object"),
        (b'{"a": 1}\n{"a":\n', Format.JSONL, "q, line 2: not JSON: Expecting value"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(data: bytes, written: Format, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        read(data, written)


def test_a_cell_may_be_longer_than_the_standard_librarys_limit() -> None:
    [row] = read(b"a\n" + b"x" * 200_000 + b"\n")
    assert len(str(row["a"])) == 200_000


def test_members_that_csv_has_no_place_for_are_refused() -> None:
    with pytest.raises(BadInput, match=r"\(c\): write JSON lines"):
        Writer(["a"], Format.CSV).rows([{"a": 1, "c": 2}])


def test_a_lone_surrogate_is_written_as_its_escape() -> None:
    row = {"text": "bad \ud800"}
    assert json.loads(Writer(["text"], Format.JSONL).rows([row])) == row
    assert Writer(["text"], Format.CSV).rows([row]) == b"bad \\ud800\r\n"


PREDICTION = Prediction(
    label="java",
    score=0.5,
    tokens=3,
    truncated=False,
    top=(Scored("java", 0.5), Scored("sql", 0.3)),
    scores={"java": 0.5, "sql": 0.3},
)


def test_an_answer_stands_behind_its_row() -> None:
    columns = AnswerColumns({"top_k": 2}, ["post"], OneLabel())
    assert columns.names == ["label", "score", "tokens", "truncated", "error", "detail", "top"]
    assert columns.joined({"post": "why"}, TextError("empty-text", "d")) == {
        "post": "why", "error": "empty-text", "detail": "d",
    }  # fmt: skip
    assert (
        columns.joined({"post": "why"}, Prediction(label="java", score=0.5, tokens=3, truncated=False))["label"]
        == "java"
    )


def test_what_few_answers_have_gets_columns_where_it_is_asked_for() -> None:
    plain = Prediction(label="java", score=0.5, tokens=3, truncated=False)
    marked = dataclasses.replace(plain, unknown=0.9)
    columns = AnswerColumns({}, ["unknown"], OneLabel(), marks=True)
    assert columns.names[-4:] == ["review", "unfamiliar", "predicted_unknown", "windows"]
    assert columns.joined({"unknown": "own"}, marked)["predicted_unknown"] == 0.9
    assert "predicted_unknown" not in columns.joined({"unknown": "own"}, plain)
    assert 0.9 not in AnswerColumns({}, [], OneLabel()).joined({}, marked).values()


def test_the_part_that_was_read_has_a_column_where_it_is_asked_for() -> None:
    document = {"label": "java", "score": 0.5, "tokens": 3, "truncated": True}
    columns = AnswerColumns({"span": True, "top_k": 2}, [], OneLabel())
    assert columns.names[-2:] == ["span", "top"]
    assert columns.joined({}, answer({**document, "span": [0, 9]}))["span"] == [0, 9]
    assert "span" not in columns.joined({}, answer(document))


def test_a_column_of_the_table_keeps_its_name() -> None:
    columns = AnswerColumns({"top_k": 2, "scores": True}, ["label", "score", "predicted_score"], OneLabel())
    found = columns.joined({"label": "truth", "score": "9", "predicted_score": "8"}, PREDICTION)
    assert found["label"] == "truth"
    assert found["predicted_label"] == "java"
    assert found["predicted_predicted_score"] == 0.5
    assert found["top"] == [{"label": "java", "score": 0.5}, {"label": "sql", "score": 0.3}]
