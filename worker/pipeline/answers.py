"""From a row of probabilities to the JSON that lies in the job record."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contract.prediction import Options, TextErrorCode, predicted


def prediction(
    probabilities: NDArray[np.float32], labels: Sequence[str], options: Options, *, tokens: int, truncated: bool
) -> str:
    """`contract.prediction.Prediction` as JSON. `probabilities` is float32[labels]."""
    answer = predicted(probabilities.tolist(), labels, options, tokens=tokens, truncated=truncated)
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def text_error(code: TextErrorCode, detail: str) -> str:
    """`contract.prediction.Failed` as JSON."""
    return json.dumps({"error": {"code": code, "detail": detail}}, ensure_ascii=False, separators=(",", ":"))


def chunk_result(version: str, answers: Sequence[str]) -> str:
    """`contract.prediction.ChunkResult` as JSON, out of answers that are JSON already."""
    return f'{{"version":{json.dumps(version)},"predictions":[{",".join(answers)}]}}'
