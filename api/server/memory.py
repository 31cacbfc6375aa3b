"""Memory under thousands of connections: what the garbage collector costs, and what is given back after them."""

from __future__ import annotations

import gc
from collections.abc import Callable

from contract import memory
from contract.loop import Loop

GARBAGE = (10_000, 10, 10)
"""Objects more than before until the youngest are looked at, and how often that until the older ones are."""
LOOK_EVERY_S = 2.0
WORTH = 100
"""Connections that have to be gone until memory is given back."""


def collect_garbage_seldom() -> None:
    """Let thousands of connections cost next to no time of the garbage collector.

    By default it looks at each of their objects again whenever there are a quarter more, which took a third of the
    processor. What lives as long as the process it need not look at.
    """
    memory.settle()
    gc.set_threshold(*GARBAGE)


class MemoryReturn:
    """Gives memory back to the system once most of many clients have gone; the C library keeps it by itself."""

    def __init__(self, connections: Callable[[], int], release: Callable[[], object] | None = None) -> None:
        """`connections` counts those that are open; `release` gives back what is free."""
        self._connections = connections
        self._release = release or memory.release
        self._most = 0
        self.loop = Loop("memory-return", self.look, pause_s=LOOK_EVERY_S)

    def look(self) -> None:
        """Give memory back if half of the clients have gone since the last time, and many of them."""
        now = self._connections()
        self._most = max(self._most, now)
        if self._most - now >= max(WORTH, self._most / 2):
            self._most = now
            self._release()
