"""What a worker's threads have in common: one that can't go on ends the process, at once and with a code that is not 0.

A worker without one of its threads does harm: it goes on leasing what it will not answer. Its process manager starts a
fresh one, and the sweeps of the others send its chunks again.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from typing import NoReturn

from contract.loop import RETRY_S, Loop

log = logging.getLogger(__name__)
EXIT_CODE = 70  # EX_SOFTWARE
OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE})


def end_process(why: str) -> NoReturn:
    """End this process without waiting for any of its threads."""
    log.critical("this worker ends itself, to be started again: %s", why)
    logging.shutdown()
    os._exit(EXIT_CODE)


def is_exhausted(error: BaseException) -> bool:
    """True when this process has run out of file descriptors, which comes as an error of whatever needed one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in OUT_OF_FILES:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def worker_loop(
    name: str,
    step: Callable[[], object],
    *,
    pause_s: float = 0.0,
    retry_s: float = RETRY_S,
    wake: Callable[[], object] = lambda: None,
    is_fatal: Callable[[Exception], bool] = is_exhausted,
) -> Loop:
    """A loop whose death ends the process."""
    return Loop(
        name,
        step,
        pause_s=pause_s,
        retry_s=retry_s,
        wake=wake,
        is_fatal=is_fatal,
        on_death=lambda: end_process(f"its thread {name} has ended"),
    )
