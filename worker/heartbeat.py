"""The heartbeat: while every part of this worker moves, it says so, and its leases hold.

A part that hangs stops the heartbeat, and other workers take the leases over. If the device hangs for longer still,
the process ends itself: a thread inside a hung device can't be stopped, and the process manager starts a fresh worker.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from threading import Event, Thread

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerStatus

log = logging.getLogger(__name__)
EXIT_AFTER_WATCHDOGS = 4
EXIT_CODE = 70  # EX_SOFTWARE


class Pulse:
    """When the Celery hub last moved, and how long the running batch has been on the device."""

    def __init__(self, busy_s: Callable[[], float], device_alive: Callable[[], bool], hub_ttl_s: float) -> None:
        self._busy_s = busy_s
        self._device_alive = device_alive
        self._hub_ttl_s = hub_ttl_s
        self._hub_moved: float | None = None
        self.watchdog_s = float("inf")
        """Set once the model is warm, when it is known how long a batch takes."""

    def hub_moved(self) -> None:
        self._hub_moved = time.monotonic()

    def fault(self) -> str | None:
        """What hangs, None when all is well."""
        if not self._device_alive():
            return "the inference thread has ended"
        if (busy := self._busy_s()) > self.watchdog_s:
            return f"a batch has been on the device for {busy:.1f} s"
        if self._hub_moved is not None and (age := time.monotonic() - self._hub_moved) > self._hub_ttl_s:
            return f"Celery's event loop has not moved for {age:.1f} s"
        return None

    def is_hopeless(self) -> bool:
        return not self._device_alive() or self._busy_s() > EXIT_AFTER_WATCHDOGS * self.watchdog_s


class Heartbeat:
    """Writes this worker's status to Redis every `interval_s`."""

    def __init__(self, fleet: Fleet, status: Callable[[], WorkerStatus], pulse: Pulse, interval_s: float) -> None:
        self._fleet = fleet
        self._status = status
        self._pulse = pulse
        self._interval_s = interval_s
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

    def _loop(self) -> None:
        while not self._stop.is_set():
            self.beat()
            self._stop.wait(self._interval_s)

    def beat(self) -> None:
        if fault := self._pulse.fault():
            log.critical("no heartbeat: %s", fault)
            if self._pulse.is_hopeless():
                log.critical("this worker ends itself, to be started again")
                os._exit(EXIT_CODE)
            return
        try:
            self._fleet.beat(self._status())
        except StoreUnavailable as error:
            log.warning("no heartbeat: %s", error)
