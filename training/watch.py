"""Watching a run: a progress bar for the terminal, TensorBoard's log for the browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training.checkpoint import Epoch


@dataclass(frozen=True)
class Step:
    """One step as it happened: `number` of `steps` over all epochs, from 0."""

    number: int
    steps: int
    loss: float
    learning_rate: float
    texts: int
    seconds: float


class Watcher(Protocol):
    def step(self, step: Step) -> None: ...

    def epoch(self, epoch: Epoch) -> None: ...


class Bar:
    """Loss, texts per second and time left; a line per epoch."""

    SMOOTHING = 0.9

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("training", total=None, loss=0.0, rate=0.0)
        self._loss: float | None = None
        self._seconds, self._texts = 0.0, 0

    def step(self, step: Step) -> None:
        self._loss = step.loss if self._loss is None else self.SMOOTHING * self._loss + 0.1 * step.loss
        self._seconds, self._texts = self._seconds + step.seconds, self._texts + step.texts
        self._progress.update(
            self._task,
            total=step.steps,
            completed=step.number + 1,
            loss=self._loss,
            rate=self._texts / self._seconds,
        )

    def epoch(self, epoch: Epoch) -> None:
        self._progress.console.print(
            f"epoch {epoch.epoch + 1}: training loss {epoch.train_loss:.3f}, "
            f"validation loss {epoch.validation_loss:.3f}, validation accuracy {epoch.validation_accuracy:.3f}"
        )


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
def bar(console: Console) -> Iterator[Bar]:
    """A progress bar on `console` while the context lasts."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}, {task.fields[rate]:.0f} texts/s,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(progress)
