"""The watchdog: whether every part of this worker moves, and whether only a new process can help.

The heartbeat's thread asks it before each heartbeat, Celery's event loop once a second: so each notices when the other
hangs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from contract.loop import Loop
from worker.loops import end_process

EXIT_AFTER_WATCHDOGS = 4
EXIT_AFTER_HUB_S = 60.0
HUNG_AFTER_TICKS = 60
"""A loop of quick steps that has ended none for so many ticks of Celery's event loop, one a second, hangs."""


class Watchdog:
    """Knows when the Celery hub last moved, how long the running batch has been on the device, which threads live."""

    def __init__(
        self, busy_s: Callable[[], float], *, hub_ttl_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._busy_s = busy_s
        self._hub_ttl_s = hub_ttl_s
        self._clock = clock
        self._loops: list[Loop] = []
        self._quick: dict[Loop, tuple[int, int]] = {}
        """Steps that the loop had ended when that number last changed, and the ticks since."""
        self._hub_moved: float | None = None
        self.watchdog_s = float("inf")
        """Set once the model is warm, when it is known how long a batch takes."""

    def watch(self, loops: Iterable[Loop], *, quick: bool = False) -> None:
        """Watch that these loops live, and of `quick` ones, whose steps take a second or so, that they move."""
        for loop in loops:
            self._loops.append(loop)
            if quick:
                self._quick[loop] = (loop.steps, 0)

    def hub_moved(self) -> None:
        """Celery's event loop moves; called once a second. Ends the process when another thread does not."""
        self._hub_moved = self._clock()
        for loop, (steps, ticks) in self._quick.items():
            self._quick[loop] = (steps, ticks + 1) if loop.steps == steps else (loop.steps, 0)
        if stuck := self._dead() or self._hung():
            end_process(stuck)

    def reset_hub_timer(self) -> None:
        """Begin the hub's time anew: while Redis is away the hub waits, and can't be blamed for not moving."""
        if self._hub_moved is not None:
            self._hub_moved = self._clock()

    def fault(self) -> str | None:
        """What hangs, None when all is well."""
        if dead := self._dead():
            return dead
        if (busy := self._busy_s()) > self.watchdog_s:
            return f"a batch has been on the device for {busy:.1f} s"
        if (age := self._hub_age_s()) > self._hub_ttl_s:
            return f"Celery's event loop has not moved for {age:.1f} s"
        return None

    def must_restart(self) -> bool:
        """True when only a new process can help."""
        hangs = self._busy_s() > EXIT_AFTER_WATCHDOGS * self.watchdog_s or self._hub_age_s() > EXIT_AFTER_HUB_S
        return hangs or self._dead() is not None

    def _dead(self) -> str | None:
        return next((f"the {loop.name} thread has ended" for loop in self._loops if loop.has_died()), None)

    def _hung(self) -> str | None:
        hung = (loop for loop, (_, ticks) in self._quick.items() if loop.is_alive() and ticks >= HUNG_AFTER_TICKS)
        return next((f"the {loop.name} thread hangs" for loop in hung), None)

    def _hub_age_s(self) -> float:
        return 0.0 if self._hub_moved is None else self._clock() - self._hub_moved
