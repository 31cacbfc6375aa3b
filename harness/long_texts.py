"""A long text in windows, by the plainest means: what the worker's answers to such texts are held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture
from contract.windows import Windows
from harness.reference_bert import logits


def window_ids(ids: Sequence[int], max_length: int, windows: Windows) -> list[list[int]]:
    """The windows of a whole text's tokens, `[CLS]` and `[SEP]` included; itself where the model reads it whole."""
    first, *body, last = ids
    if len(ids) <= max_length:
        return [list(ids)]
    size, start = windows.length - 2, 0
    made = []
    while start + size < len(body):
        made.append(body[start : start + size])
        start += windows.stride
    return [[first, *piece, last] for piece in [*made, body[-size:]]]


def long_logits(
    weights: Mapping[str, NDArray[np.float32]],
    architecture: Architecture,
    *,
    ids: Sequence[int],
    max_length: int,
    windows: Windows,
) -> NDArray[np.float64]:
    """float64[labels]: the windows' logits, pooled; `ids` are those of the whole text."""
    each = [logits(weights, architecture, piece) for piece in window_ids(ids, max_length, windows)]
    pooled: NDArray[np.float64] = (np.mean if windows.pooling == "mean" else np.max)(each, axis=0)
    return pooled
