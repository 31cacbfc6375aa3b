"""Tables come in as they were written and go out so that others can read them."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retort_client.cli import tables
from retort_client.cli.answer_columns import AnswerColumns
from retort_client.cli.errors import BadInput
from retort_client.cli.tables import Format, Writer
from retort_client.documents import Prediction, Scored, TextError


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


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert read("\ufeffpost\nwhy\n".encode()) == [{"post": "why"}]


def test_lines_are_numbered_as_an_editor_does() -> None:
    found = tables.read(io.BytesIO(b'post\n"two\nlines"\n\nb\n'), "q", Format.CSV)
    assert [row.line for row in found.rows] == [3, 5]


@pytest.mark.parametrize(
    ("data", "written", "told"),
    [
        (b"", Format.CSV, "q: no header line"),
        (b"a,a\n1,2\n", Format.CSV, "two columns have the same name"),
        (b"a,b\n1,2\n3\n", Format.CSV, "q, line 3: 1 columns, the header has 2"),
        (b'a,b\n1,"never closed\n', Format.CSV, "q, after line 2: unexpected end of data"),
        (b"a,b\n1,\xff\n", Format.CSV, "q, after line .*can't decode byte 0xff"),
        (b'{"a": 1}\n[1]\n', Format.JSONL, "q, line 2: not a JSON object"),
        (b'{"a": 1}\n{"a":\n', Format.JSONL, "q, line 2: Expecting value"),
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
    columns = AnswerColumns({"top_k": 2}, ["post"])
    assert columns.names == ["label", "score", "tokens", "truncated", "error", "detail", "top"]
    assert columns.joined({"post": "why"}, TextError("empty-text", "d")) == {
        "post": "why", "error": "empty-text", "detail": "d",
    }  # fmt: skip
    assert (
        columns.joined({"post": "why"}, Prediction(label="java", score=0.5, tokens=3, truncated=False))["label"]
        == "java"
    )


def test_a_column_of_the_table_keeps_its_name() -> None:
    columns = AnswerColumns({"top_k": 2, "scores": True}, ["label", "score", "predicted_score"])
    found = columns.joined({"label": "truth", "score": "9", "predicted_score": "8"}, PREDICTION)
    assert found["label"] == "truth"
    assert found["predicted_label"] == "java"
    assert found["predicted_predicted_score"] == 0.5
    assert found["top"] == [{"label": "java", "score": 0.5}, {"label": "sql", "score": 0.3}]
