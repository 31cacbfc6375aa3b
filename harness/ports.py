"""Ports of the loopback address for the servers of tests and benchmarks.

What the kernel names as free, the next connection or another test's server may have before one's own listens there; and
whoever waits for one's own server would then be answered by another. So these lie below those that the kernel gives
away, and each of pytest's processes has some of its own.
"""

from __future__ import annotations

import os
import random
from itertools import cycle

from local.ports import is_free

FIRST, EACH, PROCESSES = 10_000, 1_000, 20


def free_port() -> int:
    """One that nothing listens on, and that this process has not named lately."""
    return next(port for port in _ports if is_free(port))


def _own() -> list[int]:
    """The ports of this process, from any of them on, for another pytest may run beside this one."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    first, begin = FIRST + number * EACH, random.randrange(EACH)
    return [first + (begin + offset) % EACH for offset in range(EACH)]


_ports = cycle(_own())
