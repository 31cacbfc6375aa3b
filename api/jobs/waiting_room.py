"""How many requests may wait for jobs, or stream their results, at the same time in this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Self

from api.http.problems import Problem

RETRY_S = "2"


class WaitingRoom:
    """Bounds those who wait: of one caller, and of all, so that requests which wait for nothing find a place."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._inside: Counter[str] = Counter()

    def enter(self, caller: str, wait_s: float) -> WaitingPlace:
        """A place to wait in for `wait_s` seconds; who does not wait needs none. Raises Problem when none is free."""
        if wait_s <= 0:
            return WaitingPlace(lambda: None)
        if (waiting := self._inside.get(caller, 0)) >= self._most_of_one:
            raise _refusal(f"{waiting} requests of yours")
        if (waiting := self._inside.total()) >= self._most:
            raise _refusal(f"{waiting} requests of all callers")
        self._inside[caller] += 1
        return WaitingPlace(lambda: self._leave(caller))

    def _leave(self, caller: str) -> None:
        self._inside[caller] -= 1
        if not self._inside[caller]:
            del self._inside[caller]


class WaitingPlace:
    """A place in the waiting room, left once, at the latest at the end of a `with` block."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self._leave = leave
        self._left = False

    def leave(self) -> None:
        if not self._left:
            self._left = True
            self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def _refusal(who: str) -> Problem:
    return Problem("too-many-waiting", f"{who} wait or stream at the moment", headers={"Retry-After": RETRY_S})
