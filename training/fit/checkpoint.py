"""Checkpoints of a run: one safetensors file with every variable, and the run's state as JSON in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from safetensors import safe_open
from safetensors.numpy import save_file

from training import durable


class Epoch(BaseModel):
    """What one epoch showed."""

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


class TrainingState(BaseModel):
    """Where a run is: `step` of `epoch` is done (both from 0), and what was seen on the way."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0
    history: list[Epoch] = []
    losses: list[float] = []

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, the first of equals; -1 before the first."""
        return min(range(len(self.history)), key=lambda epoch: self.history[epoch].validation_loss, default=-1)

    @property
    def epochs_without_gain(self) -> int:
        return len(self.history) - 1 - self.best_epoch


def save(path: Path, tensors: Mapping[str, NDArray[np.generic]], state: TrainingState) -> None:
    """Replace the checkpoint at `path`, at once: a crash leaves the one before."""
    temporary = durable.temporary_beside(path)
    save_file(dict(tensors), temporary, metadata={"state": state.model_dump_json()})
    durable.replace(temporary, path)


def load(path: Path) -> tuple[dict[str, NDArray[np.generic]], TrainingState]:
    """The tensors and the state saved at `path`."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
        return tensors, TrainingState.model_validate_json(file.metadata()["state"])
