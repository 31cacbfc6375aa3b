"""When a webhook is tried again: after pauses that grow from seconds to hours, for a day."""

from __future__ import annotations

import random
from dataclasses import dataclass

GROWTH = 3
LONGEST_S = 4 * 3600.0
SPREAD = 0.2
"""Pauses are this much longer or shorter by chance, so that what failed together does not come back together."""


@dataclass(frozen=True)
class Schedule:
    """After 5, 15, 45 s, 2, 7, 20 min, 1, 3 h and then every 4 hours, with the usual settings."""

    first_pause_s: float
    give_up_s: float

    def pause_s(self, attempt: int, age_s: float, chance: float | None = None) -> float | None:
        """Seconds until it is tried again whose `attempt` (1 for the first) has failed; None when it is given up.

        `chance` in [0, 1) stands for the random number.
        """
        drawn = random.random() if chance is None else chance
        grown = self.first_pause_s * GROWTH ** min(attempt - 1, 20)
        pause = min(grown, LONGEST_S) * (1 - SPREAD + 2 * SPREAD * drawn)
        return pause if age_s + pause <= self.give_up_s else None
