"""Waiting for a condition, instead of for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SHORTEST_S, LONGEST_S = 0.01, 0.05
SHARE = 0.05


def until(
    condition: Callable[[], Any], patience_s: float = 60.0, *, what: str = "", pause_s: float | None = None
) -> Any:
    """Return the first true value of `condition`. Raises TimeoutError, which names `what`, after `patience_s`.

    `pause_s` lies between two looks. Without it they are close at first and then a share of what was waited: whoever
    waits long should leave the processor to what it waits for.
    """
    started = time.monotonic()
    while not (value := condition()):
        waited_s = time.monotonic() - started
        if waited_s > patience_s:
            raise TimeoutError(f"waited {patience_s:g} s in vain for {what or 'a condition'}")
        time.sleep(min(max(SHORTEST_S, SHARE * waited_s), LONGEST_S) if pause_s is None else pause_s)
    return value
