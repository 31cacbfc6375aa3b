"""Newcomers one by one: a crowd of them costs little to clients that the service knows, and to what has begun.

To be imported once gevent has patched the standard library.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress

import gevent
import gevent.event

from contract.loop import Loop

LONGEST_S = 0.01
"""A service that is never idle still lets somebody in so often."""
WAIT_S = 1.0


class Turnstile:
    """Lets the first requests of connections begin in the order in which they came, each when nothing else is ready.

    Without it all of them would begin at once, and each step of every request would wait behind a step of all others.
    """

    def __init__(self) -> None:
        self._waiting: deque[gevent.event.Event] = deque()
        self._somebody = gevent.event.Event()
        self.loop = Loop("turnstile", self._let_in)

    def enter(self) -> None:
        """Return when it is the caller's turn."""
        turn = gevent.event.Event()
        self._waiting.append(turn)
        self._somebody.set()
        turn.wait()

    def _let_in(self) -> None:
        if not self._somebody.wait(WAIT_S):
            return
        with suppress(gevent.Timeout), gevent.Timeout(LONGEST_S):
            gevent.idle()
        self._waiting.popleft().set()
        if not self._waiting:
            self._somebody.clear()
