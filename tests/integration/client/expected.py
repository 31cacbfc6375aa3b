"""What the stand-in worker's answers look like to a client."""

from __future__ import annotations

from collections.abc import Iterable

import contract.prediction
from contract.prediction import Failed
from harness.answering_worker import answer
from retort_client import Answer, Prediction, TextError


def expected(texts: Iterable[str]) -> list[Answer]:
    return [_seen(text) for text in texts]


def _seen(text: str) -> Answer:
    found = answer(text)
    if isinstance(found, Failed):
        return TextError(found.error.code, found.error.detail)
    assert isinstance(found, contract.prediction.Prediction)
    return Prediction(label=found.label, score=found.score, tokens=found.tokens, truncated=found.truncated)
