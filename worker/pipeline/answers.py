"""From rows of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.prediction import DIGITS, AnswerRule, Options, TextRead
from contract.stored_result import dumped, one_label


class Asked(Protocol):
    """A text whose answer is to be written."""

    @property
    def read(self) -> TextRead: ...

    @property
    def options(self) -> Options: ...


def predictions(rows: NDArray[np.float32], rule: AnswerRule, texts: Sequence[Asked]) -> list[str]:
    """The answer for each text as JSON. `rows` is float32[texts, columns], the labels' probabilities first."""
    rows = rows[:, : len(rule.labels)]
    if rule.thresholds is not None:
        return [_answered(row, rule, text) for row, text in zip(rows, texts, strict=True)]
    names, best, scores = _as_json(rule.labels), rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist()
    return [
        one_label(names[label], round(score, DIGITS), text.read.tokens, text.read.truncated)
        if text.options.top_k == 1
        and not text.options.scores
        and text.read.is_usual
        and round(score, DIGITS) >= rule.review_below
        else _answered(row, rule, text)
        for label, score, row, text in zip(best, scores, rows, texts, strict=True)
    ]


def _answered(row: NDArray[np.float32], rule: AnswerRule, text: Asked) -> str:
    return dumped(rule.answer(row.tolist(), text.options, text.read))


@cache
def _as_json(labels: tuple[str, ...]) -> list[str]:
    return [dumped(label) for label in labels]
