"""The result of a chunk as it lies in the job record: workers write it here, the API cuts it here.

One JSON object without spaces, its members always in the order of `contract.prediction.ChunkResult` and its answers:

    {"version":"V","predictions":[{"label":"L","score":0.75,"tokens":11,"truncated":false},{"error":{…}}]}

Answers are written as they are passed on, so that the API need not decode what it only hands through.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from contract.prediction import TextErrorCode

_BEFORE_ANSWERS = '"predictions":'


def dumped(answer: object) -> str:
    """An answer, or a part of one, as it is stored."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def one_label(label: str, score: float, tokens: int, truncated: bool) -> str:
    """`Prediction` with nothing but its best label, as `dumped` would write it. `label` is JSON already.

    It is what most jobs ask for, and a batch has a thousand texts.
    """
    return f'{{"label":{label},"score":{score!r},"tokens":{tokens},"truncated":{"true" if truncated else "false"}}}'


def text_error(code: TextErrorCode, detail: str) -> str:
    """A `Failed` as it is stored."""
    return dumped({"error": {"code": code, "detail": detail}})


def chunk_result(version: str, answers: Sequence[str]) -> str:
    """A `ChunkResult` as it is stored, out of answers that are written already."""
    return f'{{"version":{dumped(version)},"predictions":[{",".join(answers)}]}}'


class DamagedResult(ValueError):
    """What lies in the place of a result is none."""


def answers_json(stored: str) -> str:
    """All answers of a stored result with commas between them, not decoded. Raises DamagedResult."""
    _, found, array = stored.partition(_BEFORE_ANSWERS)
    inside = array.strip().removesuffix("}").strip()
    if not (found and inside.startswith("[") and inside.endswith("]")):
        raise DamagedResult("a result is no list of predictions")
    return inside[1:-1]


def answers(stored: str, start: int = 0, stop: int | None = None) -> list[dict[str, Any]]:
    """The answers to the texts from `start` up to `stop` of the chunk. Raises ValueError."""
    found: list[dict[str, Any]] = json.loads(f"[{answers_json(stored)}]")
    return found[start:stop]
