"""The right answers of the tiny artifact, from BERT in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from harness.reference_bert import Weights, probabilities
from harness.tiny_artifact import WORDS, random_weights, tiny_architecture, tokenizer

LABELS = ("java", "python", "sql")
MAX_LENGTH, TEMPERATURE = 32, 1.5


@cache
def _weights(seed: int) -> Weights:
    return random_weights(tiny_architecture(), len(LABELS), seed)


@cache
def scores(text: str, seed: int = 0) -> Mapping[str, float]:
    """What the tiny artifact of this seed says of the text: probability by label."""
    ids = tokenizer(MAX_LENGTH).encode(text).ids
    found = probabilities(_weights(seed), tiny_architecture(), ids, TEMPERATURE)
    return dict(zip(LABELS, map(float, found), strict=True))


def is_right(answer: Mapping[str, Any], text: str, seed: int = 0, tolerance: float = 2e-4) -> bool:
    """Whether a prediction, asked for with all scores, is that of this text and no other."""
    if not text.strip():
        return bool(answer.get("error", {}).get("code") == "empty-text")
    expected = scores(text, seed)
    found = answer.get("scores", {})
    if found.keys() != expected.keys():
        return False
    return all(abs(float(found[label]) - expected[label]) <= tolerance for label in LABELS)


def some_texts(count: int, seed: int = 0) -> Sequence[str]:
    """Different texts, whose answers differ by far more than the tolerance for nearly every pair."""
    generator = np.random.default_rng(seed)
    words = [word for word in WORDS if not word.startswith("##")]
    return [" ".join([f"{number:x}", *generator.choice(words, generator.integers(1, 12))]) for number in range(count)]
