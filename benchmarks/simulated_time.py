"""Simulated time, and queues in it: what happens when, without waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count


class Clock:
    """Simulated time and what is to happen in it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()

    def __call__(self) -> float:
        return self.now

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        heappush(self._events, (self.now + seconds, next(self._order), then))

    def run_until(self, end: float) -> None:
        while self._events and self._events[0][0] <= end:
            self.now, _, then = heappop(self._events)
            then()
        self.now = end


class Server:
    """So many processes that serve one queue, first come, first served."""

    def __init__(self, clock: Clock, processes: int = 1) -> None:
        self._clock = clock
        self._free_at = [0.0] * processes
        heapify(self._free_at)
        self._busy_s = 0.0

    def use(self, seconds: float, then: Callable[[], None]) -> None:
        """Call `then` when the work of so many seconds is done."""
        end = max(self._clock.now, self._free_at[0]) + seconds
        heapreplace(self._free_at, end)
        self._busy_s += seconds
        self._clock.after(end - self._clock.now, then)

    def spent_s(self) -> float:
        """Seconds of work that have been done by now, over all processes."""
        return self._busy_s - sum(max(0.0, free_at - self._clock.now) for free_at in self._free_at)

    @property
    def processes(self) -> int:
        return len(self._free_at)
