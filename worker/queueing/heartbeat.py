"""The heartbeat: while every part of this worker moves, it says so, and its leases hold.

A part that hangs stops the heartbeat, and other workers take the leases over. If it hangs for longer still, the process
ends itself: a thread inside a hung device can't be stopped, and the process manager starts a fresh worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerStatus
from contract.loop import STOP_S
from worker.loops import end_process, worker_loop
from worker.queueing.watchdog import Watchdog

log = logging.getLogger(__name__)


class Heartbeat:
    """Writes this worker's status to Redis every `interval_s`."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        status: Callable[[], WorkerStatus],
        watchdog: Watchdog,
        interval_s: float,
        ttl_s: float,
        on_health: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_health` is told at every heartbeat whether this worker is well."""
        self._fleet = fleet
        self._status = status
        self._watchdog = watchdog
        self._ttl_s = ttl_s
        self._on_health = on_health
        self._clock = clock
        self._steady_since = self._last_beat = float("-inf")
        self.loop = worker_loop("heartbeat", self.beat, pause_s=interval_s, retry_s=interval_s)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Stop and leave the fleet; True when the thread ended within `timeout_s`."""
        ended = self.loop.stop(timeout_s)
        try:
            self._fleet.leave(self._status().id)
        except StoreUnavailable as error:
            log.warning("can't leave the fleet, it will find out: %s", error)
        return ended

    def is_steady(self) -> bool:
        """True when Redis has heard this worker for so long without a gap that it has heard every live one."""
        now = self._clock()
        return now - self._last_beat <= self._ttl_s < now - self._steady_since

    def beat(self) -> None:
        """Say that this worker lives, if it is well. Raises StoreUnavailable; ends a process that is past help."""
        fault = self._watchdog.fault()
        self._on_health(fault is None)
        try:
            if fault is None:
                self._fleet.beat(self._status())
                self._note_beat()
            else:
                log.critical("no heartbeat: %s", fault)
                self._fleet.live()
        except StoreUnavailable:
            self._watchdog.reset_hub_timer()
            raise
        finally:
            if fault and self._watchdog.must_restart():
                end_process(fault)

    def _note_beat(self) -> None:
        now = self._clock()
        if now - self._last_beat > self._ttl_s:
            self._steady_since = now
        self._last_beat = now
