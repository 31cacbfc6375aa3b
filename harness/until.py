"""Waiting for a condition, instead of for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(condition: Callable[[], Any], patience_s: float = 60.0, *, what: str = "", pause_s: float = 0.01) -> Any:
    """Return the first true value of `condition`. Raises TimeoutError, which names `what`, after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience_s:g} s in vain for {what or 'a condition'}")
        time.sleep(pause_s)
    return value
