"""What the service got through lately: looked at every two seconds, so that whoever comes sees how it went before."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from contract.errors import StoreUnavailable
from contract.loop import Loop

EVERY_S = 2.0
KEPT = 150
"""Looks that are remembered: five minutes of them."""


@dataclass(frozen=True)
class PastRate:
    """Texts a second that were answered between two looks."""

    ago_s: float
    """Since the later one."""
    texts_per_s: float


class DrainHistory:
    """The rates of the last minutes. Each process of the API looks for itself, at the same counters."""

    def __init__(self, drained: Callable[[], Mapping[str, int]], clock: Callable[[], float] = time.monotonic) -> None:
        """`drained` counts the texts of each model that ever left its lanes. Raises StoreUnavailable."""
        self._drained, self._clock = drained, clock
        self._looks: deque[tuple[float, Mapping[str, int]]] = deque(maxlen=KEPT)
        self.loop = Loop("drain-history", self.look, pause_s=EVERY_S)
        self.loop.start()

    def look(self) -> None:
        """Count now. While Redis is away nothing is noted, and the next rate is one over all that time."""
        try:
            self._looks.append((self._clock(), self._drained()))
        except StoreUnavailable:
            return

    def rates(self) -> list[PastRate]:
        """The oldest first. A model's counter that is new or begins anew counts from the next look on."""
        now = self._clock()
        return [
            PastRate(now - at, _more(before, drained) / (at - since))
            for (since, before), (at, drained) in pairwise(list(self._looks))
            if at > since
        ]

    def close(self) -> None:
        self.loop.stop()


def _more(before: Mapping[str, int], now: Mapping[str, int]) -> int:
    return sum(max(0, count - before.get(model, count)) for model, count in now.items())
