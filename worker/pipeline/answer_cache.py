"""Answers that were computed before: the same questions come again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]
OVERHEAD_BYTES = 350
"""Of Python's objects for one answer."""


class AnswerCache:
    """What a model said, by its version and token ids, within a bound on memory; what was not asked for longest goes.

    What a job asks to see of an answer is no part of the key: all of it is made from these. Safe to share
    by threads.
    """

    def __init__(self, most_bytes: int) -> None:
        """`most_bytes` bounds what it holds; with 0 it keeps nothing."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._rows: OrderedDict[tuple[Hashable, bytes], Row] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, source: Hashable, keys: Sequence[bytes]) -> list[Row | None]:
        """float32[columns], as `Model.run` has them, for each text; None where it is not known.

        `source` is a version of a model, `keys` are the texts' token ids as bytes.
        """
        with self._lock:
            found = [self._rows.get((source, key)) for key in keys]
            for key, row in zip(keys, found, strict=True):
                if row is not None:
                    self._rows.move_to_end((source, key))
        return found

    def keep(self, source: Hashable, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Remember rows of float32[texts, columns] for when these texts come again."""
        if not self._most_bytes:
            return
        with self._lock:
            for key, row in zip(keys, map(np.array, rows), strict=True):
                if (source, key) not in self._rows:
                    self._bytes += _size(key, row)
                    self._rows[source, key] = row
            while self._bytes > self._most_bytes:
                (_, key), row = self._rows.popitem(last=False)
                self._bytes -= _size(key, row)


def _size(key: bytes, row: Row) -> int:
    return len(key) + row.nbytes + OVERHEAD_BYTES
