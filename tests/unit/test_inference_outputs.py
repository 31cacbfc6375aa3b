"""Which tensors of the Open Inference Protocol say what of an answer."""

from __future__ import annotations

from typing import Any

from api.views.inference_outputs import AnswerTable
from contract.prediction import Options

READ = {"tokens": 9, "truncated": False}
ROWS: list[dict[str, Any]] = [
    {"label": "java", "score": 0.9, **READ},
    {"label": "sql", "score": 0.4, "review": True, "unfamiliar": True, **READ, "unknown": 0.25, "windows": 3},
    {"error": {"code": "empty-text", "detail": "the text is empty"}},
]


def data(rows: list[dict[str, Any]], *, multi_label: bool) -> dict[str, list[Any]]:
    table = AnswerTable(rows=rows, classes=("java", "sql"), multi_label=multi_label, options=Options())
    return {tensor.name: list(tensor.values) for tensor in table.tensors([])}


def test_marks_are_told_of_each_text() -> None:
    assert data(ROWS, multi_label=False) == {
        "label": ["java", "sql", ""],
        "score": [0.9, 0.4, 0.0],
        "review": [False, True, False],
        "unfamiliar": [False, True, False],
        "tokens": [9, 9, 0],
        "truncated": [False, False, False],
        "unknown": [0.0, 0.25, 0.0],
        "windows": [1, 3, 0],
        "error": ["", "", "empty-text: the text is empty"],
    }


def test_models_of_several_labels_mark_nothing_for_review() -> None:
    labels = [{"labels": [{"label": "java", "score": 0.9}], **READ, "windows": 2}]

    found = data(labels, multi_label=True)

    assert found.keys() == {"labels", "unfamiliar", "tokens", "truncated", "unknown", "windows", "error"}
    assert (found["labels"], found["windows"]) == (['[{"label": "java", "score": 0.9}]'], [2])
