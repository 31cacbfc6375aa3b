"""Reading what a stranger may have written over: a key of another type, a counter that is no number."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import redis

COUNTER = re.compile(r"-?[0-9]{1,18}")


def is_of_wrong_type(error: Exception) -> bool:
    """True when Redis refused a command because the key holds another type."""
    return isinstance(error, redis.ResponseError) and "WRONGTYPE" in str(error)


def unless_of_wrong_type(read: Callable[[], Any], otherwise: Any) -> Any:
    """Return what `read` returns, or `otherwise` while the key has another type, which the next sweep sets aside."""
    try:
        return read()
    except redis.ResponseError as error:
        if not is_of_wrong_type(error):
            raise
        return otherwise


def counter(stored: str | None) -> int:
    """The number of a counter; 0 for what is none, which the next sweep counts anew."""
    return int(stored) if stored and COUNTER.fullmatch(stored) else 0
