"""Which queues this worker reads at the moment.

Of each lane a worker lets two full batches wait and leaves the rest in Redis, where other workers can take it and where
the interactive lane overtakes the bulk lane. So each lane has a gate that closes while enough of it waits. kombu asks
`LaneOrder` before each read which lists to read, and in which order (transport option `queue_order_strategy`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from threading import Lock

from kombu.utils.scheduling import priority_cycle

from contract.message import Lane

BULK_FIRST_EVERY = 8
"""Of so many reads, one looks at the bulk lane first, so that it goes on under any interactive load."""


class PauseReason(Enum):
    """Why no lane may be read, whatever is held."""

    NO_MODEL = auto()
    UNWELL = auto()
    DRAINING = auto()


class FlowControl:
    """How much of each lane waits in this worker, in tokens, and whether more may be read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held = dict.fromkeys(Lane, 0)
        self._bounds = dict.fromkeys(Lane, 0)
        self._reasons = {PauseReason.NO_MODEL}
        self._on_open: Callable[[], object] = lambda: None

    def set_bounds(self, bounds: dict[Lane, int]) -> None:
        """Read a lane while fewer tokens of it than this wait."""
        self._bounds = dict(bounds)
        self._on_open()

    def set_on_open(self, on_open: Callable[[], object]) -> None:
        """`on_open` is called, from any thread, whenever a lane may be read again."""
        self._on_open = on_open

    def pause(self, why: PauseReason) -> None:
        """Read nothing any more, whatever is held. Takes no lock: a signal handler may call it."""
        self._reasons = self._reasons | {why}

    def resume(self, why: PauseReason) -> None:
        """Read lanes again, if nothing else bars them."""
        if why in self._reasons:
            self._reasons = self._reasons - {why}
            self._on_open()

    def is_paused(self) -> bool:
        """True when this worker takes no work at all."""
        return bool(self._reasons)

    def is_draining(self) -> bool:
        """True when this worker has been asked to end."""
        return PauseReason.DRAINING in self._reasons

    def is_open(self, lane: Lane) -> bool:
        return not self._reasons and self._held[lane] < self._bounds[lane]

    def hold(self, lane: Lane, tokens: int) -> None:
        with self._lock:
            self._held[lane] += tokens

    def release(self, lane: Lane, tokens: int) -> None:
        with self._lock:
            was_open = self.is_open(lane)
            self._held[lane] -= tokens
            opened = self.is_open(lane) and not was_open
        if opened:
            self._on_open()


flow = FlowControl()
"""This process's: kombu builds `LaneOrder` by its name and gives it nothing."""


class LaneOrder(priority_cycle):
    """The open lanes, interactive first but for every eighth read."""

    reads = 0

    def consume(self, n: int) -> list[str]:
        """Names of the queues to read now, the first one that has a message wins."""
        self.reads += 1
        names = sorted(name for name in self.items[:n] if flow.is_open(_lane(name)))
        return names[::-1] if self.reads % BULK_FIRST_EVERY == 0 else names


def _lane(queue: str) -> Lane:
    return Lane.BULK if queue.endswith(Lane.BULK) else Lane.INTERACTIVE
