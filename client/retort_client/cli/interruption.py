"""Ctrl-C ends a run, wherever it is."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self


class Interruption:
    """Remembers a SIGINT. Its KeyboardInterrupt may be raised in a place that swallows it, such as a destructor."""

    def __init__(self) -> None:
        self._came = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raises KeyboardInterrupt if one has come."""
        if self._came:
            raise KeyboardInterrupt

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt
