"""How fast this worker gets through work while it has plenty: what bounds and `Retry-After` are computed from.

A text that comes alone has the device to itself, and says nothing about how many could have come with it. So its time
on the device counts as what it would have been in a full batch.
"""

from __future__ import annotations

from collections import defaultdict
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


@dataclass(kw_only=True)
class _Tally:
    """What was done for one model since its rate was last computed."""

    texts: int = 0
    bytes: int = 0
    paid_s: float = 0.0
    rate: Rate = Rate()


class Throughput:
    """By model, a moving average over the seconds of the device that its work was worth. Safe to share by threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._tallies: defaultdict[str, _Tally] = defaultdict(_Tally)

    def pay(self, model: str, seconds: float) -> None:
        """Count the device's time for the model; see `Inference`."""
        with self._lock:
            self._tallies[model].paid_s += seconds

    def add(self, model: str, texts: int, size: int) -> None:
        """Count texts of the model that are done, of so many bytes together."""
        with self._lock:
            tally = self._tallies[model]
            tally.texts += texts
            tally.bytes += size

    def rate(self, model: str) -> Rate:
        """The average up to now."""
        with self._lock:
            tally = self._tallies[model]
            if tally.paid_s >= LEAST_BUSY_S and tally.texts:
                newest = Rate(tally.texts / tally.paid_s, tally.bytes / tally.paid_s)
                rate = newest if tally.rate == Rate() else _mix(tally.rate, newest)
                tally = self._tallies[model] = _Tally(rate=rate)
            return tally.rate


def _mix(old: Rate, new: Rate) -> Rate:
    return Rate(
        old.texts + WEIGHT * (new.texts - old.texts),
        old.bytes + WEIGHT * (new.bytes - old.bytes),
    )
