"""A text that is longer than the model: the windows it is read in, and what their answers make together."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from contract.windows import LongReading
from encoders import reference

Floats = NDArray[np.floating[Any]]


def window_starts(tokens: int, size: int, stride: int, most: int, cut: Literal["right", "left"]) -> list[int]:
    """Where each window of `size` tokens begins in a text of more tokens than that; `most` of them at most.

    The last one ends with the text, so that each is full and none speaks for a few left-over words. When there are too
    many, those at the end that is `cut` are left out.
    """
    starts = [*range(0, tokens - size, stride), tokens - size]
    return starts[-most:] if cut == "left" else starts[:most]


def row_of_windows(rows: Floats, labels: int, pooling: LongReading, activation: str) -> NDArray[np.float32]:
    """What a model says of a text, out of what it says of its windows, float[windows, columns] as `Model.run` has it.

    A text is as far from what was learnt as the window that is nearest.
    """
    logits = pool(rows[:, labels : 2 * labels], pooling)
    nearest = rows[:, 2 * labels :].min(axis=0)
    return np.concatenate([reference.probabilities(logits, activation), logits, nearest]).astype(np.float32)


def pool(logits: Floats, pooling: LongReading) -> Floats:
    """float[windows, labels] → float[labels]: the mean, or the greatest, of each label's logits."""
    pooled: Floats = logits.mean(axis=0) if pooling == "mean" else logits.max(axis=0)
    return pooled
