"""Checkpoints of a run: one safetensors file with every variable, and the run's state as JSON in its metadata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from safetensors import safe_open

from training.tensor_file import write_tensors


class Epoch(BaseModel):
    """What one epoch showed. The validation loss is the one at the temperature that fits best."""

    epoch: int
    """From 0; -1 is the start."""
    train_loss: float | None
    validation_loss: float
    validation_accuracy: float
    """Of several labels a text: share of the texts with all of them right."""


class TrainingState(BaseModel):
    """Where a run is: `step` of `epoch` is done (both from 0), and what was seen on the way."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    start: Epoch | None = None
    """What the model showed before the first step."""
    history: list[Epoch] = []
    losses: list[float] = []

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, the first of equals; -1 for none, the start."""
        return min(range(-1, len(self.history)), key=lambda epoch: self.loss_after(epoch))

    def loss_after(self, epoch: int) -> float:
        """The validation loss after an epoch; of the start for -1, which is infinite until it is known."""
        seen = self.history[epoch] if epoch >= 0 else self.start
        return seen.validation_loss if seen else math.inf

    @property
    def epochs_without_gain(self) -> int:
        """Epochs since the best one. The start does not count: the first epochs may cost what later ones bring."""
        losses = [epoch.validation_loss for epoch in self.history]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def save(path: Path, tensors: Mapping[str, NDArray[np.generic]], state: TrainingState) -> None:
    """Replace the checkpoint at `path`, at once: a crash leaves the one before."""
    write_tensors(path, tensors, {"state": state.model_dump_json()})


def load(path: Path) -> tuple[dict[str, NDArray[np.generic]], TrainingState]:
    """The tensors and the state saved at `path`."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        return tensors, TrainingState.model_validate_json(file.metadata()["state"])
