"""How fast this worker gets through work while it has plenty: what bounds and `Retry-After` are computed from.

A text that comes alone has the device to itself, and says nothing about how many could have come with it. So its time
on the device counts as what it would have been in a full batch; see `Inference.paid_s`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

WEIGHT = 0.3
"""Of the newest measurement in the moving average."""
LEAST_BUSY_S = 0.05
"""Less work than this says nothing about the rate."""


@dataclass(frozen=True)
class Rate:
    """What is done in a second of the device's time, in full batches."""

    texts: float = 0.0
    bytes: float = 0.0


class Throughput:
    """A moving average over the seconds of the device that the work was worth."""

    def __init__(self, paid_total_s: Callable[[], float]) -> None:
        self._paid_total_s = paid_total_s
        self._lock = Lock()
        self._texts = self._bytes = 0
        self._busy_before = 0.0
        self._rate = Rate()

    def add(self, texts: int, size: int) -> None:
        """Count texts that are done, of so many bytes together."""
        with self._lock:
            self._texts += texts
            self._bytes += size

    def rate(self) -> Rate:
        """The average up to now."""
        with self._lock:
            busy = self._paid_total_s() - self._busy_before
            if busy >= LEAST_BUSY_S and self._texts:
                newest = Rate(self._texts / busy, self._bytes / busy)
                self._rate = newest if self._rate == Rate() else _mix(self._rate, newest)
                self._busy_before += busy
                self._texts = self._bytes = 0
            return self._rate


def _mix(old: Rate, new: Rate) -> Rate:
    return Rate(
        old.texts + WEIGHT * (new.texts - old.texts),
        old.bytes + WEIGHT * (new.bytes - old.bytes),
    )
