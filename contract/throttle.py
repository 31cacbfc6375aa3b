"""What happens a thousand times a second is written to the log once a minute, with its number."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from threading import Lock

EVERY_S = 60.0
MOST_KEYS = 256


class LogThrottle:
    """Says of each repeated event whether it may be logged now. Safe to share by threads."""

    def __init__(self, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[Hashable, tuple[float, int]] = {}
        """When each key was logged last, and how often it was kept back since."""

    def admit(self, key: Hashable) -> int | None:
        """How often `key` was kept back since it was logged last, if it may be logged now; None if it may not."""
        now = self._clock()
        with self._lock:
            logged_at, kept_back = self._seen.get(key, (float("-inf"), 0))
            if now - logged_at < self._every_s:
                self._seen[key] = logged_at, kept_back + 1
                return None
            self._forget_old(now)
            self._seen[key] = now, 0
            return kept_back

    def _forget_old(self, now: float) -> None:
        if len(self._seen) >= MOST_KEYS:
            self._seen = {key: seen for key, seen in self._seen.items() if now - seen[0] < self._every_s}
