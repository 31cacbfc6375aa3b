"""From rows of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.prediction import DIGITS, AnswerRule, Options, TextRead
from contract.stored_result import dumped, one_label
from worker.metrics import REVIEW_TEXTS, UNFAMILIAR_TEXTS


class Asked(Protocol):
    """A text whose answer is to be written."""

    @property
    def read(self) -> TextRead: ...

    @property
    def options(self) -> Options: ...


def predictions(rows: NDArray[np.float32], rule: AnswerRule, texts: Sequence[Asked]) -> list[str]:
    """The answer for each text as JSON. `rows` is float32[texts, columns], as `Model.run` has them."""
    unfamiliar = _unfamiliar(rows, rule)
    rows = rows[:, : len(rule.labels)]
    if rule.thresholds is not None:
        return [_answered(*each, rule) for each in zip(rows, unfamiliar, texts, strict=True)]
    names, best, scores = _as_json(rule.labels), rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist()
    scores = [round(score, DIGITS) for score in scores]
    REVIEW_TEXTS.inc(sum(score < rule.review_below for score in scores))
    return [
        one_label(names[label], score, text.read.tokens, text.read.truncated)
        if text.options.top_k == 1
        and not text.options.scores
        and text.read.is_usual
        and score >= rule.review_below
        and not strange
        else _answered(row, strange, text, rule)
        for label, score, row, strange, text in zip(best, scores, rows, unfamiliar, texts, strict=True)
    ]


def _unfamiliar(rows: NDArray[np.float32], rule: AnswerRule) -> Sequence[bool]:
    """Of each text, whether it is too far from what the model has learnt from."""
    if rule.unfamiliar_above is None:
        return [False] * len(rows)
    found: list[bool] = (rows[:, -1] > rule.unfamiliar_above).tolist()
    UNFAMILIAR_TEXTS.inc(sum(found))
    return found


def _answered(row: NDArray[np.float32], unfamiliar: bool, text: Asked, rule: AnswerRule) -> str:
    return dumped(rule.answer(row.tolist(), text.options, text.read, unfamiliar=unfamiliar))


@cache
def _as_json(labels: tuple[str, ...]) -> list[str]:
    return [dumped(label) for label in labels]
