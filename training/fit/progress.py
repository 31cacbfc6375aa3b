"""Watching a run: a progress bar for the terminal, TensorBoard's log for the browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.fit.checkpoint import Epoch


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step as it happened: `number` of `steps` over all epochs, from 0."""

    number: int
    steps: int
    loss: float
    learning_rate: float
    texts: int
    length: int
    """Tokens that the batch was padded to."""
    seconds: float


class Watcher(Protocol):
    def step(self, step: Step) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...


class ProgressDisplay:
    """A progress bar with the smoothed loss, texts per second and the time left; a line per epoch."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("training", total=None, loss=0.0, rate=0.0)
        self._pace = Pace()

    def step(self, step: Step) -> None:
        self._pace.add(step)
        loss, rate = self._pace.loss, self._pace.texts_per_second
        self._bars.update(self._task, total=step.steps, completed=step.number + 1, loss=loss, rate=rate)

    def epoch(self, epoch: Epoch) -> None:
        self._bars.console.print(_line(epoch))


class ProgressLines:
    """The same as lines, one every so often: for a log file, where a bar would be noise."""

    EVERY_S = 15.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._pace = Pace()
        self._shown = time.monotonic()

    def step(self, step: Step) -> None:
        self._pace.add(step)
        if self._pace.known and time.monotonic() - self._shown >= self.EVERY_S:
            self._shown = time.monotonic()
            left = timedelta(seconds=round(self._pace.seconds_per_step * (step.steps - step.number - 1)))
            pace = f"loss {self._pace.loss:.3f}, {self._pace.texts_per_second:.0f} texts/s, at most {left} left"
            self._console.print(f"step {step.number + 1}/{step.steps}, {pace}")

    def epoch(self, epoch: Epoch) -> None:
        self._console.print(_line(epoch))


class Pace:
    """Loss and speed of the last steps, smoothed. The first step of each length compiles: it does not count as time."""

    SMOOTHING = 0.95

    def __init__(self) -> None:
        self._compiled: set[int] = set()
        self._steps = self._loss = self._timed = self._texts = self._seconds = 0.0

    def add(self, step: Step) -> None:
        keep = self.SMOOTHING
        self._steps = keep * self._steps + 1
        self._loss = keep * self._loss + step.loss
        if step.length not in self._compiled:
            self._compiled.add(step.length)
            return
        self._timed = keep * self._timed + 1
        self._texts = keep * self._texts + step.texts
        self._seconds = keep * self._seconds + step.seconds

    @property
    def known(self) -> bool:
        """Whether a step could be timed yet."""
        return self._timed > 0

    @property
    def loss(self) -> float:
        return self._loss / self._steps

    @property
    def texts_per_second(self) -> float:
        return self._texts / self._seconds if self.known else 0.0

    @property
    def seconds_per_step(self) -> float:
        return self._seconds / self._timed if self.known else 0.0


def _line(epoch: Epoch) -> str:
    validation = f"validation loss {epoch.validation_loss:.3f}, validation accuracy {epoch.validation_accuracy:.3f}"
    if epoch.train_loss is None:
        return f"frozen base with a linear head: {validation}"
    return f"epoch {epoch.epoch + 1}: training loss {epoch.train_loss:.3f}, {validation}"


class TensorBoard:
    """Scalars in TensorBoard's format below `folder`; a resumed run appends to them."""

    def __init__(self, folder: Path) -> None:
        from training.bert_compat import tf

        self._scalar = tf.summary.scalar
        self._writer = tf.summary.create_file_writer(str(folder))
        self._number = 0

    def step(self, step: Step) -> None:
        self._number = step.number
        self._write(
            {
                "train/loss": step.loss,
                "train/learning_rate": step.learning_rate,
                "train/texts_per_second": step.texts / step.seconds,
            }
        )

    def epoch(self, epoch: Epoch) -> None:
        self._write({"validation/loss": epoch.validation_loss, "validation/accuracy": epoch.validation_accuracy})
        self._writer.flush()

    def _write(self, scalars: dict[str, Any]) -> None:
        with self._writer.as_default(step=self._number):
            for name, value in scalars.items():
                self._scalar(name, value)


@contextmanager
def progress(console: Console) -> Iterator[Watcher]:
    """A progress bar on a terminal while the context lasts, lines elsewhere."""
    if not console.is_terminal:
        yield ProgressLines(console)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}, {task.fields[rate]:.0f} texts/s, at most"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as bars:
        yield ProgressDisplay(bars)
