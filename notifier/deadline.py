"""The time that an attempt has, shared by all of its steps."""

from __future__ import annotations

import time
from collections.abc import Callable


class AttemptFailed(Exception):
    """A webhook came to no answer, which another attempt may."""


class Deadline:
    """Counts down from `seconds`."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at = clock() + seconds

    def left_s(self) -> float:
        """Seconds that are left. Raises AttemptFailed when none are."""
        left = self._at - self._clock()
        if left <= 0:
            raise AttemptFailed("no answer in time")
        return left
