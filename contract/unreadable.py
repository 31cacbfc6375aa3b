"""What can't be read, because a newer release or a stranger wrote it, is skipped: counted, and logged once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable

from contract.throttle import LogThrottle

log = logging.getLogger(__name__)
SHOWN = 200
"""Characters of a reason that are logged: it may quote what a stranger wrote."""


class Unreadable:
    """Where a process's readers report what they skipped."""

    def __init__(self, count: Callable[[str], object] = lambda _: None, throttle: LogThrottle | None = None) -> None:
        """`count` is told the kind of everything that is skipped: a few fixed words, fit for a metric's label."""
        self._count = count
        self._throttle = throttle or LogThrottle()

    def skip(self, kind: str, name: str, why: Exception | str) -> None:
        """Note that the `kind` of this `name` was skipped, and why."""
        self._count(kind)
        if (kept_back := self._throttle.admit(kind)) is None:
            return
        reason = why if isinstance(why, str) else f"{type(why).__name__}: {why}"
        log.warning("a %s is skipped, %.80r: %.*s (%d times before)", kind, name, SHOWN, reason, kept_back)
