"""From a row of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contract.prediction import Options, TextErrorCode

DIGITS = 6
"""Decimals of a score: float32 has no more to say."""


def prediction(
    probabilities: NDArray[np.float32], labels: Sequence[str], options: Options, *, tokens: int, truncated: bool
) -> str:
    """`contract.prediction.Prediction` as JSON. `probabilities` is float32[labels]."""
    scores = [round(float(score), DIGITS) for score in probabilities]
    best = int(np.argmax(probabilities))
    answer: dict[str, object] = {
        "label": labels[best],
        "score": scores[best],
        "tokens": tokens,
        "truncated": truncated,
    }
    if options.top_k > 1:
        order = np.argsort(-probabilities, kind="stable")[: options.top_k]
        answer["top"] = [{"label": labels[index], "score": scores[index]} for index in order]
    if options.scores:
        answer["scores"] = dict(zip(labels, scores, strict=True))
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def text_error(code: TextErrorCode, detail: str) -> str:
    """`contract.prediction.Failed` as JSON."""
    return json.dumps({"error": {"code": code, "detail": detail}}, ensure_ascii=False, separators=(",", ":"))


def chunk_result(version: str, answers: Sequence[str]) -> str:
    """`contract.prediction.ChunkResult` as JSON, out of answers that are JSON already."""
    return f'{{"version":{json.dumps(version)},"predictions":[{",".join(answers)}]}}'
