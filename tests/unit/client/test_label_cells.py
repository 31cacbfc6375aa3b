"""The labels of an answer as cells: one with its score, several in a column, or a column a label."""

from __future__ import annotations

from typing import Any

import pytest

from retort_client import MultiLabelPrediction, Prediction, Scored, TextError
from retort_client.cli.answer_columns import AnswerColumns
from retort_client.cli.errors import BadInput
from retort_client.cli.label_cells import JoinedLabels, LabelCells, LabelColumns, OneLabel

LABELS = ["java", "sql", "tokens"]
ONE = Prediction(label="java", score=0.5, tokens=3, truncated=False)


def several(**scores: float) -> MultiLabelPrediction:
    return MultiLabelPrediction(labels=tuple(Scored(*one) for one in scores.items()), tokens=3, truncated=False)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (JoinedLabels("|", LABELS), {"labels": "sql|java", "label_scores": "0.9|0.5"}),
        (JoinedLabels(", ", LABELS), {"labels": "sql, java", "label_scores": "0.9, 0.5"}),
        (JoinedLabels(None, LABELS), {"labels": ["sql", "java"], "label_scores": [0.9, 0.5]}),
        (LabelColumns(LABELS), {"java": 1, "sql": 1, "tokens": 0}),
    ],
)
def test_several_labels_are_written_in_the_form_that_was_asked_for(cells: LabelCells, expected: dict[str, Any]) -> None:
    assert dict(zip(cells.names, cells.cells(several(sql=0.9, java=0.5)), strict=True)) == expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (JoinedLabels("|", LABELS), ["", ""]),
        (JoinedLabels(None, LABELS), [[], []]),
        (LabelColumns(LABELS), [0, 0, 0]),
    ],
)
def test_a_text_may_have_none(cells: LabelCells, expected: list[Any]) -> None:
    assert cells.cells(several()) == expected


def test_a_separator_that_is_part_of_a_label_is_refused() -> None:
    with pytest.raises(BadInput, match=r"'c\|c\+\+' has '\|' in it"):
        JoinedLabels("|", ["java", "c|c++"])
    JoinedLabels(None, ["java", "c|c++"])


@pytest.mark.parametrize(
    ("cells", "answer"),
    [(OneLabel(), several(java=0.5)), (JoinedLabels("|", LABELS), ONE), (LabelColumns(LABELS), ONE)],
)
def test_an_answer_of_the_other_kind_of_model_ends_the_run(cells: LabelCells, answer: Any) -> None:
    with pytest.raises(BadInput, match="the other kind before"):
        cells.cells(answer)


def test_a_label_that_the_columns_have_not_is_not_lost() -> None:
    with pytest.raises(BadInput, match=r"new labels.*git"):
        LabelColumns(LABELS).cells(several(git=0.9))


def test_a_label_gets_a_column_beside_those_of_the_table_and_of_the_answer() -> None:
    columns = AnswerColumns({}, ["post", "java"], LabelColumns(LABELS))
    assert columns.names == [
        "predicted_java", "sql", "tokens", "predicted_tokens", "truncated", "error", "detail",
    ]  # fmt: skip
    assert columns.joined({"post": "p", "java": "x"}, several(tokens=0.7)) == {
        "post": "p", "java": "x", "predicted_java": 0, "sql": 0, "tokens": 1, "predicted_tokens": 3, "truncated": False,
    }  # fmt: skip
    assert columns.joined({"post": "p"}, TextError("empty-text", "d")) == {
        "post": "p", "error": "empty-text", "detail": "d",
    }  # fmt: skip


def test_an_unfinished_run_of_one_label_a_text_goes_on_with_the_settings_that_it_began_with() -> None:
    assert AnswerColumns({}, [], OneLabel()).settings == {}
    assert AnswerColumns({}, [], JoinedLabels("|", LABELS)).settings == {"label separator": "|"}
    assert AnswerColumns({}, [], LabelColumns(["a"])).settings == {"label columns": ["a"]}
