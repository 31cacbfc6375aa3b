"""From rows of texts and of windows to texts that can be answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.pipeline.work import Row, TextWork


class Complete(NamedTuple):
    """What rows of texts and windows make complete."""

    texts: Sequence[TextWork]
    rows: NDArray[np.float32]
    """float32[texts, columns]"""
    failed: Sequence[TextWork]
    """Texts on a window of which the model failed."""


def complete(texts: Sequence[TextWork], rows: NDArray[np.float32]) -> Complete:
    """The texts that have all they need with these rows, one for each of `texts`, and the row of each."""
    if all(text.long is None for text in texts):
        return Complete(texts, rows, [])
    found: list[TextWork] = []
    of: list[Row] = []
    failed: list[TextWork] = []
    for text, row in zip(texts, rows, strict=True):
        if text.long is None:
            found.append(text)
            of.append(row)
        elif text.long.add(text.place, row):
            if text.long.failed:
                failed.append(text)
            else:
                found.append(text)
                of.append(text.long.row(text.chunk.model.manifest))
    return Complete(found, np.stack(of) if of else rows[:0], failed)
