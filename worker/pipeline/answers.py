"""From rows of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contract.prediction import DIGITS, Options, predicted
from contract.stored_result import dumped, one_label


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
        one_label(names[label], round(score, DIGITS), text.length, text.truncated)
        if text.options.top_k == 1 and not text.options.scores
        else dumped(predicted(row.tolist(), labels, text.options, tokens=text.length, truncated=text.truncated))
        for label, score, row, text in zip(best, scores, rows, texts, strict=True)
    ]


@cache
def _as_json(labels: tuple[str, ...]) -> list[str]:
    return [dumped(label) for label in labels]
