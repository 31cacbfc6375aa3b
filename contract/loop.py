"""The one kind of thread that lives as long as its process: it repeats a step until it is asked to stop.

No exception ends it. It logs what a step raised, goes on after a pause, and can be watched: whether it lives, when a
step last ended, how many failed. Under gevent its thread is a greenlet, for it needs nothing but `threading`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event, Thread

from contract.errors import RetortError
from contract.throttle import LogThrottle

log = logging.getLogger(__name__)
RETRY_S = 1.0
STOP_S = 5.0


class Loop:
    """Repeats `step` on a thread of its own, with `pause_s` between two steps.

    A step that waits for something must return within about a second, or `wake` must end its wait.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        *,
        pause_s: float = 0.0,
        retry_s: float = RETRY_S,
        wake: Callable[[], object] = lambda: None,
        is_fatal: Callable[[Exception], bool] = lambda _: False,
        on_death: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`is_fatal` says of an exception that repeating the step can't help: the thread ends. `on_death` is called,
        as the thread's last act, when it ends without being asked to."""
        self.name = name
        self.pause_s = pause_s
        """Seconds between two steps; a step may change it."""
        self.steps = 0
        """Steps that have ended, ever."""
        self.failures = 0
        """Steps that raised, ever."""
        self.failures_in_a_row = 0
        """Steps that raised since one last did not."""
        self._step = step
        self._retry_s = retry_s
        self._wake = wake
        self._is_fatal = is_fatal
        self._on_death = on_death
        self._clock = clock
        self._last_end = clock()
        self._throttle = LogThrottle(clock=clock)
        self._has_ended = False
        self._stopping = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin. Raises RuntimeError when the system has no room for another thread."""
        self._last_end = self._clock()
        self._thread.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Let the running step be the last and wait for its end, `timeout_s` at most; True when the thread ended."""
        self._stopping.set()
        if not self._thread.is_alive():
            return True
        self._wake()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def has_died(self) -> bool:
        """True when the thread was started and has ended without being asked to. Waits for no lock."""
        return self._has_ended and not self._stopping.is_set()

    def idle_s(self) -> float:
        """Seconds since a step last ended, well or not; since the start, when none has ended yet."""
        return self._clock() - self._last_end

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._stopping.wait(self._once())
        except BaseException:
            log.critical("the thread %s ends", self.name, exc_info=True)
            raise
        finally:
            self._has_ended = True
            if not self._stopping.is_set():
                self._on_death()

    def _once(self) -> float:
        """Take one step; the seconds to wait before the next."""
        try:
            self._step()
        except Exception as error:
            self.failures += 1
            self.failures_in_a_row += 1
            if self._is_fatal(error):
                raise
            self._report(error)
            return self._retry_s
        else:
            self.failures_in_a_row = 0
            return self.pause_s
        finally:
            self.steps += 1
            self._last_end = self._clock()

    def _report(self, error: Exception) -> None:
        """Log the error, with a traceback unless it is one that an operator can do something about."""
        kept_back = self._throttle.admit((type(error), _origin(error)))
        if kept_back is None:
            return
        expected = isinstance(error, RetortError)
        level = logging.WARNING if expected else logging.ERROR
        message = "%s: %s: %s; trying again in %g s (%d times before)"
        trace = None if expected else error
        log.log(level, message, self.name, type(error).__name__, error, self._retry_s, kept_back, exc_info=trace)


def _origin(error: Exception) -> tuple[str, int] | None:
    """The file and line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
