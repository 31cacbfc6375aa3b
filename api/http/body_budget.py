"""How many bytes of request bodies this process holds at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from api.http.problems import Problem

RETRY_S = "1"
SMALL_BYTES = 100_000
"""A body of this size does no harm, whatever is in it and whoever else sends: it is never refused."""


class BodyBudget:
    """Counts what bodies have brought so far, so that one which stalls takes no more than it has sent."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self.held = 0
        """Bytes of the large bodies that are here now."""

    @contextmanager
    def share(self) -> Iterator[BodyShare]:
        """The part of one body, until the block ends."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self.held -= share.counted

    def take(self, size: int) -> None:
        """Count bytes of a large body. Raises Problem when they are more than all bodies may have together."""
        if self.held + size > self._most:
            raise Problem(
                "too-many-bodies",
                f"bodies of {self.held} bytes are coming in at the moment",
                headers={"Retry-After": RETRY_S},
            )
        self.held += size


class BodyShare:
    """What one body has of the budget."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._received = 0
        self.counted = 0

    def add(self, size: int) -> None:
        """Count bytes that have come. Raises Problem when they are too many, with those of the other bodies."""
        self._received += size
        if self._received > SMALL_BYTES:
            self._budget.take(self._received - self.counted)
            self.counted = self._received
