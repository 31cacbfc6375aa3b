"""The progress bar of a run, on stderr."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

OVER_S = 60.0
EVERY_S = 0.5


class Rate:
    """Rows a second over the last minute. Answers come by the page, so that the last few say nothing."""

    def __init__(self, done: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen = deque([(clock(), done)])

    def seen(self, done: int) -> float:
        """The rate, now that so many rows are done."""
        now = self._clock()
        began, first = self._seen[0]
        if now - self._seen[-1][0] >= EVERY_S:
            self._seen.append((now, done))
            while len(self._seen) > 1 and now - self._seen[1][0] >= OVER_S:
                self._seen.popleft()
        return (done - first) / max(now - began, EVERY_S)


class ProgressBar:
    """Rows done of rows in all, rate and time left."""

    def __init__(self, console: Console, *, rows: int | None, done: int, quiet: bool) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
        )
        self._progress = Progress(*columns, console=console, disable=quiet)
        self._task = self._progress.add_task("predicting", total=rows, completed=done, told="")
        self._rows = rows
        self._rate = Rate(done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def seen(self, done: int) -> None:
        """So many rows of the table have their answer."""
        rate = self._rate.seen(done)
        self._progress.update(
            self._task, completed=done, told=told(rate, None if self._rows is None else self._rows - done)
        )


def told(rate: float, left: int | None) -> str:
    """`120 texts/s 0:01:05`: the rate, and the time that so many rows will take at it."""
    if rate <= 0:
        return ""
    if left is None:
        return f"{rate:,.0f} texts/s"
    minutes, seconds = divmod(round(left / rate), 60)
    return f"{rate:,.0f} texts/s {minutes // 60}:{minutes % 60:02}:{seconds:02}"
