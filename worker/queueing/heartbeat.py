"""The heartbeat: while every part of this worker moves, it says so, and its leases hold.

A part that hangs stops the heartbeat, and other workers take the leases over. If it hangs for longer still, the process
ends itself: a thread inside a hung device can't be stopped, and the process manager starts a fresh worker.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from threading import Event, Thread

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerStatus

log = logging.getLogger(__name__)
EXIT_AFTER_WATCHDOGS = 4
EXIT_AFTER_HUB_S = 60.0
EXIT_CODE = 70  # EX_SOFTWARE


class Watchdog:
    """When the Celery hub last moved, how long the running batch has been on the device, which threads live."""

    def __init__(
        self,
        busy_s: Callable[[], float],
        threads: Mapping[str, Callable[[], bool]],
        hub_ttl_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`threads` says of each thread that the worker can't do without whether it lives."""
        self._busy_s = busy_s
        self._threads = threads
        self._hub_ttl_s = hub_ttl_s
        self._clock = clock
        self._hub_moved: float | None = None
        self.watchdog_s = float("inf")
        """Set once the model is warm, when it is known how long a batch takes."""

    def hub_moved(self) -> None:
        self._hub_moved = self._clock()

    def reset_hub_timer(self) -> None:
        """Redis is away: the hub waits for it, and can't be blamed for not moving."""
        if self._hub_moved is not None:
            self.hub_moved()

    def fault(self) -> str | None:
        """What hangs, None when all is well."""
        if ended := self._ended():
            return f"the {ended} thread has ended"
        if (busy := self._busy_s()) > self.watchdog_s:
            return f"a batch has been on the device for {busy:.1f} s"
        if (age := self._hub_age_s()) > self._hub_ttl_s:
            return f"Celery's event loop has not moved for {age:.1f} s"
        return None

    def must_restart(self) -> bool:
        """Whether only a new process can help."""
        hangs = self._busy_s() > EXIT_AFTER_WATCHDOGS * self.watchdog_s or self._hub_age_s() > EXIT_AFTER_HUB_S
        return hangs or self._ended() is not None

    def _ended(self) -> str | None:
        return next((name for name, is_alive in self._threads.items() if not is_alive()), None)

    def _hub_age_s(self) -> float:
        return 0.0 if self._hub_moved is None else self._clock() - self._hub_moved


class Heartbeat:
    """Writes this worker's status to Redis every `interval_s`."""

    def __init__(
        self,
        fleet: Fleet,
        status: Callable[[], WorkerStatus],
        pulse: Watchdog,
        interval_s: float,
        ttl_s: float,
        on_health: Callable[[bool], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_health` is told at every heartbeat whether this worker is well."""
        self._fleet = fleet
        self._status = status
        self._watchdog = pulse
        self._interval_s = interval_s
        self._ttl_s = ttl_s
        self._on_health = on_health
        self._clock = clock
        self._steady_since = self._last_beat = float("-inf")
        self._stop = Event()
        self._thread = Thread(target=self._loop, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop and leave the fleet."""
        self._stop.set()
        self._thread.join()
        try:
            self._fleet.leave(self._status().id)
        except StoreUnavailable as error:
            log.warning("can't leave the fleet, it will find out: %s", error)

    def is_steady(self) -> bool:
        """Whether Redis has heard this worker for so long without a gap that it has heard every live one."""
        now = self._clock()
        return now - self._last_beat <= self._ttl_s < now - self._steady_since

    def _loop(self) -> None:
        while not self._stop.is_set():
            self.beat()
            self._stop.wait(self._interval_s)

    def beat(self) -> None:
        fault = self._watchdog.fault()
        self._on_health(fault is None)
        try:
            if fault is None:
                self._fleet.beat(self._status())
                self._note_beat()
            else:
                log.critical("no heartbeat: %s", fault)
                self._fleet.live()
        except StoreUnavailable as error:
            log.warning("no heartbeat: %s", error)
            self._watchdog.reset_hub_timer()
        if fault and self._watchdog.must_restart():
            log.critical("this worker ends itself, to be started again")
            os._exit(EXIT_CODE)

    def _note_beat(self) -> None:
        now = self._clock()
        if now - self._last_beat > self._ttl_s:
            self._steady_since = now
        self._last_beat = now
