"""From rows of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.prediction import DIGITS, Options, TextErrorCode, predicted


class Asked(Protocol):
    """A text whose answer is to be written."""

    @property
    def length(self) -> int:
        """Tokens that the model read."""

    @property
    def truncated(self) -> bool: ...

    @property
    def options(self) -> Options: ...


def predictions(rows: NDArray[np.float32], labels: tuple[str, ...], texts: Sequence[Asked]) -> list[str]:
    """`contract.prediction.Prediction` as JSON for each text. `rows` is float32[texts, labels]."""
    names, best, scores = _as_json(labels), rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist()
    return [
        # What most jobs ask for, and the same bytes: a batch has a thousand texts.
        f'{{"label":{names[label]},"score":{round(score, DIGITS)!r},"tokens":{text.length},'
        f'"truncated":{"true" if text.truncated else "false"}}}'
        if text.options.top_k == 1 and not text.options.scores
        else _dumped(predicted(row.tolist(), labels, text.options, tokens=text.length, truncated=text.truncated))
        for label, score, row, text in zip(best, scores, rows, texts, strict=True)
    ]


@cache
def _as_json(labels: tuple[str, ...]) -> list[str]:
    return [_dumped(label) for label in labels]


def _dumped(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def text_error(code: TextErrorCode, detail: str) -> str:
    """`contract.prediction.Failed` as JSON."""
    return _dumped({"error": {"code": code, "detail": detail}})


def chunk_result(version: str, answers: Sequence[str]) -> str:
    """`contract.prediction.ChunkResult` as JSON, out of answers that are JSON already."""
    return f'{{"version":{json.dumps(version)},"predictions":[{",".join(answers)}]}}'
