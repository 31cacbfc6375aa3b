"""The progress bar of a run, on stderr."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

RATE_OVER_S = 60.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} texts/s" if task.speed else "")


class ProgressBar:
    """Rows done of rows in all, rate and time left."""

    def __init__(self, console: Console, *, rows: int | None, done: int, quiet: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, disable=quiet, speed_estimate_period=RATE_OVER_S)
        self._task = self._progress.add_task("predicting", total=rows, completed=done)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def seen(self, done: int) -> None:
        """So many rows of the table have their answer."""
        self._progress.update(self._task, completed=done)
