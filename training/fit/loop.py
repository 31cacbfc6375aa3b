"""The training loop: epochs, checkpoints, validation, early stopping. Killed and started again, it goes on.

Everything random in a step is a function of the seed and of the step's number: the order of the texts, the dropout. A
checkpoint therefore holds only variables and counters, and an interrupted run ends with the weights of an unbroken one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from contract.artifact import WEIGHTS
from training.data.batches import Examples, PaddedBatch, Planned, bucket_lengths, fill, plan_epoch, plan_pairs
from training.errors import Diverged
from training.fit import checkpoint
from training.fit.checkpoint import Epoch, TrainingState
from training.fit.model import Tensors, in_batches, predictor
from training.fit.optimizer import learning_rate
from training.fit.progress import Step, Watcher
from training.fit.start import Start, fitted_head
from training.fit.step import Trainer
from training.hyperparameters import HyperParameters
from training.pretrained.base_model import BaseModel
from training.tensor_file import write_tensors

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Parts:
    """What the loop learns from and what it chooses the best epoch by."""

    train: Examples
    validation: Examples | None
    """None where there is nothing left to choose: the last epoch's weights are kept."""
    labels: int


class Run:
    """One fine-tuning run in one work folder. `fit` may be called once."""

    def __init__(
        self,
        *,
        base: BaseModel,
        parts: Parts,
        start: Start,
        parameters: HyperParameters,
        folder: Path,
        watchers: Sequence[Watcher] = (),
        checkpoint_s: float = 60.0,
        strategy: Any = None,
        epochs: int | None = None,
    ) -> None:
        """epochs: after which the run ends, at the learning rates of one of all that `parameters` has."""
        self._last = parameters.epochs if epochs is None else epochs
        self._parts, self._parameters, self._folder = parts, parameters, folder
        self._watchers, self._checkpoint_s, self._start = watchers, checkpoint_s, start
        seen = [part.lengths for part in (parts.train, parts.validation) if part is not None]
        self._buckets = bucket_lengths(np.concatenate(seen), parameters.buckets)
        self._labelling = start.labelling
        weights = self._labelling.class_weights(parts.train.text_labels)
        shares = parts.train.shares
        self._shares = shares / shares.mean()
        self._class_weights = weights if parameters.class_weights else np.ones_like(weights)
        self._trainer = Trainer(base=base, start=start, parameters=parameters, strategy=strategy)
        self._predict = predictor(self._trainer.model, self._buckets)
        self._features = in_batches(self._trainer.model.features, self._buckets)
        self.state = TrainingState()

    @property
    def best(self) -> Path:
        """The weights of the epoch with the lowest validation loss, or those of the start, named as in an artifact.

        Those of the last epoch where there are no texts to validate by.
        """
        return self._folder / WEIGHTS

    @property
    def steps_per_epoch(self) -> int:
        return len(self._plan(epoch=0))

    def fit(self) -> TrainingState:
        """Train until the last epoch or until `patience` epochs brought no lower validation loss. Raises Diverged."""
        self._resume()
        if self._parts.validation is not None and not self.state.start:
            self._see_start(self._parts.validation)
        saved = time.monotonic()
        while not self._finished():
            for step, batch, shares in self._remaining_batches():
                self._train_on(step, batch, shares)
                if time.monotonic() - saved >= self._checkpoint_s:
                    self._save()
                    saved = time.monotonic()
            self._end_epoch()
            self._save()
            saved = time.monotonic()
        return self.state

    def _finished(self) -> bool:
        state, parameters = self.state, self._parameters
        return state.epoch >= self._last or state.epochs_without_gain >= parameters.patience

    def _remaining_batches(self) -> Iterator[tuple[int, PaddedBatch, NDArray[np.float32]]]:
        """The number of each step, its batch, and what each of its rows counts as a part of its text."""
        plan = self._plan(self.state.epoch)
        for step in range(self.state.step, len(plan)):
            batch, shares = fill(self._parts.train, plan[step], self._trainer.rows), np.ones(self._trainer.rows)
            shares[: len(plan[step].texts)] = self._shares[plan[step].texts]
            yield step, batch, shares.astype(np.float32)

    def _plan(self, epoch: int) -> list[Planned]:
        parameters, train = self._parameters, self._parts.train
        if parameters.loss == "contrastive":
            return plan_pairs(train, parameters.batch_size, parameters.seed, epoch)
        return plan_epoch(train.lengths, self._buckets, parameters.batch_size, parameters.seed, epoch)

    def _train_on(self, step: int, batch: PaddedBatch, shares: NDArray[np.float32]) -> None:
        started, state, parameters = time.monotonic(), self.state, self._parameters
        number = state.epoch * self.steps_per_epoch + step
        steps = parameters.epochs * self.steps_per_epoch
        rate = learning_rate(number, steps, parameters.warmup, parameters.learning_rate)
        weights = self._labelling.batch_weights(batch.weights, batch.labels, self._class_weights)
        weights *= shares if weights.ndim == 1 else shares[:, None]
        loss = self._trainer.step(batch, weights, rate, number)
        if not math.isfinite(loss):
            raise Diverged(f"step {number}: the loss is {loss}; try a lower learning rate than {rate:.2g}")
        state.step = step + 1
        state.losses.append(round(loss, 4))
        state.loss_sum += loss
        seconds = time.monotonic() - started
        state.seconds += seconds
        step_seen = Step(
            number=number,
            steps=steps,
            loss=loss,
            learning_rate=rate,
            texts=int(np.count_nonzero(batch.weights)),
            length=batch.ids.shape[1],
            seconds=seconds,
        )
        for watcher in self._watchers:
            watcher.step(step_seen)

    def _see_start(self, validation: Examples) -> None:
        """The model before any step is the first that may be the best."""
        started = time.monotonic()
        self.state.start = self._seen(validation)
        self._keep_best()
        self.state.seconds += time.monotonic() - started
        for watcher in self._watchers:
            watcher.epoch(self.state.start)

    def _end_epoch(self) -> None:
        state, validation = self.state, self._parts.validation
        started = time.monotonic()
        if self._parameters.loss == "contrastive":
            self._refit_head()
        seen = None if validation is None else self._seen(validation)
        if seen:
            state.history.append(seen)
        if not seen or state.best_epoch == state.epoch:
            self._keep_best()
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
        state.seconds += time.monotonic() - started
        if seen:
            for watcher in self._watchers:
                watcher.epoch(seen)

    def _refit_head(self) -> None:
        """Fit the head anew, to where the encoder has moved the training texts: their pairs say nothing about it."""
        train, model = self._parts.train, self._trainer.model
        features = train.pooled(self._features(train), "mean")
        head = fitted_head(features, train.text_labels, self._start.strength, self._parameters, self._labelling)
        model.load(model.tensors() | head.tensors)

    def _seen(self, validation: Examples) -> Epoch:
        state, labels = self.state, validation.text_labels
        logits = validation.pooled(self._predict(validation), self._parameters.long)
        return Epoch(
            epoch=state.epoch if state.start else -1,
            train_loss=state.loss_sum / self.steps_per_epoch if state.start else None,
            validation_loss=self._labelling.validation_loss(logits, labels),
            validation_accuracy=self._labelling.accuracy(logits, labels),
        )

    def _keep_best(self) -> None:
        write_tensors(self.best, self._trainer.model.tensors())

    def _save(self) -> None:
        tensors = {name: np.asarray(variable.numpy()) for name, variable in self._trainer.variables.items()}
        checkpoint.save(self._folder / CHECKPOINT, tensors, self.state)

    def _resume(self) -> None:
        if not (self._folder / CHECKPOINT).exists():
            return
        tensors, self.state = checkpoint.load(self._folder / CHECKPOINT)
        for name, variable in self._trainer.variables.items():
            variable.assign(tensors[name])


def load_weights(path: Path) -> Tensors:
    """The tensors that `Run.best` holds."""
    tensors: Tensors = load_file(path)
    return tensors
