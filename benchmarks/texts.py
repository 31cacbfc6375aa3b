"""Texts to measure with, of any length in tokens, made of the words of the example questions in their order."""

from __future__ import annotations

import csv
from functools import cache
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from encoders.tokenization import TextTokenizer
from training.pretrained import minilm

QUESTIONS = Path(__file__).parents[1] / "examples" / "questions.csv"
MAX_LENGTH = 256
MEDIAN, SIGMA, SHORTEST = 30, 0.9, 4


def mixed(count: int, seed: int = 0) -> list[str]:
    """Texts of log-normal length: median 30 tokens, sigma 0.9, from 4 to 256."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(np.round(MEDIAN * np.exp(SIGMA * rng.standard_normal(count))), SHORTEST, MAX_LENGTH)
    return [_text(rng, int(length)) for length in lengths]


def uniform(count: int, tokens: int, seed: int = 0) -> list[str]:
    """Texts of `tokens` tokens each, [CLS] and [SEP] included."""
    rng = np.random.default_rng(seed)
    return [_text(rng, tokens) for _ in range(count)]


def short(count: int, seed: int = 0) -> list[str]:
    """Questions as they are, in random order, again and again."""
    questions = _questions()
    np.random.default_rng(seed).shuffle(questions)
    return list(islice(cycle(questions), count))


def tokenizer() -> TextTokenizer:
    """The one that counts the tokens: that of the bundled base model."""
    return minilm.load().text_tokenizer(MAX_LENGTH)


def _text(rng: np.random.Generator, tokens: int) -> str:
    """Words from a random place on, leaving out those that are too long for what is missing."""
    words, missing, taken = _words(), tokens - 2, []
    for word, length in islice(cycle(words), int(rng.integers(len(words))), None):
        if not missing:
            break
        if length <= missing:
            taken.append(word)
            missing -= length
    return " ".join(taken)


@cache
def _words() -> list[tuple[str, int]]:
    """Every word with the number of its tokens."""
    words = " ".join(_questions()).split()
    return [(word, encoded.length - 2) for word, encoded in zip(words, tokenizer().encode(words), strict=True)]


def _questions() -> list[str]:
    with QUESTIONS.open(encoding="utf-8", newline="") as file:
        return [row["post"] for row in csv.DictReader(file)]
