"""The training loop: steps, checkpoints, validation, early stopping. Killed and started again, it goes on.

Everything random in step N of epoch E is a function of (seed, E, N): the order of the texts, the dropout. A checkpoint
therefore holds only variables and counters, and an interrupted run ends with the same weights as an unbroken one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from contract.artifact import WEIGHTS
from contract.tensors import ENCODER_PREFIX
from training import checkpoint, durable
from training.base_model import BaseModel
from training.batches import Batch, Examples, bucket_lengths, fill, plan_epoch
from training.bert_compat import tf
from training.calibration import log_loss
from training.checkpoint import Epoch, State
from training.errors import Diverged
from training.hyperparameters import HyperParameters
from training.model import Classifier, Tensors, initial_classifier, predictor
from training.optimizer import AdamW, clip, learning_rate
from training.watch import Step, Watcher

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Parts:
    """What the loop learns from and what it chooses the best epoch by."""

    train: Examples
    validation: Examples
    labels: int


class Run:
    """One fine-tuning run in one work folder. `fit` may be called once."""

    def __init__(
        self,
        base: BaseModel,
        parts: Parts,
        parameters: HyperParameters,
        folder: Path,
        watchers: Sequence[Watcher] = (),
        checkpoint_s: float = 60.0,
    ) -> None:
        self._parts, self._parameters, self._folder = parts, parameters, folder
        self._watchers, self._checkpoint_s = watchers, checkpoint_s
        self._strategy = _strategy()
        self._rows = -(-parameters.batch_size // self._replicas) * self._replicas
        self._buckets = bucket_lengths(
            np.concatenate([parts.train.lengths, parts.validation.lengths]), parameters.buckets
        )
        self._class_weights = class_weights(parts.train.labels, parts.labels, parameters.class_weights)
        with self._strategy.scope():
            self._model = Classifier(base.architecture, parts.labels, parameters.dropout, parameters.precision)
            self._optimizer = AdamW(self._model.variables, parameters.weight_decay)
        self._model.load(_starting_point(base, parts.labels, parameters.seed))
        self._step = tf.function(self._distributed_step, reduce_retracing=False)
        self._predict = predictor(self._model, self._buckets)
        self.state = State()

    @property
    def best(self) -> Path:
        """The weights of the epoch with the lowest validation loss, named as in an artifact."""
        return self._folder / WEIGHTS

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self._parts.train) // self._parameters.batch_size)

    def fit(self) -> State:
        """Train until the last epoch or until `patience` epochs brought no lower validation loss. Raises Diverged."""
        self._resume()
        saved = time.monotonic()
        while not self._finished():
            for step, batch in self._remaining_batches():
                self._train_on(step, batch)
                if time.monotonic() - saved >= self._checkpoint_s:
                    self._save()
                    saved = time.monotonic()
            self._end_epoch()
            self._save()
            saved = time.monotonic()
        return self.state

    def _finished(self) -> bool:
        state, parameters = self.state, self._parameters
        return state.epoch >= parameters.epochs or state.epochs_without_gain >= parameters.patience

    def _remaining_batches(self) -> Any:
        parameters, train = self._parameters, self._parts.train
        plan = plan_epoch(train.lengths, self._buckets, parameters.batch_size, parameters.seed, self.state.epoch)
        for step in range(self.state.step, len(plan)):
            yield step, fill(train, plan[step], self._rows)

    def _train_on(self, step: int, batch: Batch) -> None:
        started, state = time.monotonic(), self.state
        number = state.epoch * self.steps_per_epoch + step
        steps = self._parameters.epochs * self.steps_per_epoch
        rate = learning_rate(number, steps, self._parameters.warmup, self._parameters.learning_rate)
        weights = batch.weights * self._class_weights[batch.labels]
        shards = [self._shard(array) for array in (batch.ids, batch.labels, weights / weights.sum())]
        loss = float(self._step(*shards, tf.constant(rate, tf.float32), tf.constant(number, tf.int64)))
        if not math.isfinite(loss):
            raise Diverged(f"step {number}: the loss is {loss}; try a lower learning rate than {rate:.2g}")
        texts = int(np.count_nonzero(batch.weights))
        state.step, state.texts, state.loss_sum = step + 1, state.texts + texts, state.loss_sum + loss
        state.seconds += time.monotonic() - started
        state.losses.append(round(loss, 4))
        for watcher in self._watchers:
            watcher.step(Step(number, steps, loss, rate, texts, time.monotonic() - started))

    def _end_epoch(self) -> None:
        state, validation = self.state, self._parts.validation
        logits = self._predict(validation)
        seen = Epoch(
            epoch=state.epoch,
            train_loss=state.loss_sum / max(state.step, 1),
            validation_loss=log_loss(logits, validation.labels),
            validation_accuracy=float(np.mean(logits.argmax(axis=-1) == validation.labels)),
        )
        state.history.append(seen)
        if state.best_epoch == state.epoch:
            self._keep_best()
        state.epoch, state.step, state.loss_sum = state.epoch + 1, 0, 0.0
        for watcher in self._watchers:
            watcher.epoch(seen)

    def _keep_best(self) -> None:
        temporary = durable.temporary_beside(self.best)
        save_file(self._model.tensors(), temporary)
        durable.replace(temporary, self.best)

    def _variables(self) -> dict[str, Any]:
        return {f"model/{name}": variable for name, variable in self._model.variables.items()} | {
            f"optimizer/{name}": variable for name, variable in self._optimizer.variables.items()
        }

    def _save(self) -> None:
        tensors = {name: np.asarray(variable.numpy()) for name, variable in self._variables().items()}
        checkpoint.save(self._folder / CHECKPOINT, tensors, self.state)

    def _resume(self) -> None:
        if not (self._folder / CHECKPOINT).exists():
            return
        tensors, self.state = checkpoint.load(self._folder / CHECKPOINT)
        for name, variable in self._variables().items():
            variable.assign(tensors[name])

    @property
    def _replicas(self) -> int:
        return int(self._strategy.num_replicas_in_sync)

    def _shard(self, array: NDArray[Any]) -> Any:
        """The rows of a batch, dealt out to the replicas."""
        if self._replicas == 1:
            return tf.constant(array)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(array[context.replica_id_in_sync_group :: self._replicas])
        )

    def _distributed_step(self, ids: Any, labels: Any, weights: Any, rate: Any, number: Any) -> Any:
        losses = self._strategy.run(self._replica_step, args=(ids, labels, weights, rate, number))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, ids: Any, labels: Any, weights: Any, rate: Any, number: Any) -> Any:
        """`weights` float32[rows] sum to 1 over all replicas."""
        self._model.seed_dropout(self._parameters.seed, number)
        with tf.GradientTape() as tape:
            logits = self._model.logits(ids, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_sum(losses * weights)
        gradients = tape.gradient(loss, list(self._model.variables.values()))
        if self._replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        clipped, _ = clip(gradients, self._parameters.clip_norm)
        self._optimizer.apply(clipped, rate)
        return loss


def class_weights(labels: NDArray[np.int32], classes: int, balanced: bool) -> NDArray[np.float32]:
    """float32[classes]: 1, or inversely proportional to the class's frequency with mean 1 over the texts."""
    counts = np.bincount(labels, minlength=classes)
    if not balanced:
        return np.ones(classes, np.float32)
    return (len(labels) / (classes * np.maximum(counts, 1))).astype(np.float32)


def load_weights(path: Path) -> Tensors:
    """The tensors that `Run.best` holds."""
    tensors: Tensors = load_file(path)
    return tensors


def _starting_point(base: BaseModel, labels: int, seed: int) -> Tensors:
    encoder = {ENCODER_PREFIX + name: tensor for name, tensor in base.tensors.items()}
    return encoder | initial_classifier(base.architecture, labels, seed)


def _strategy() -> Any:
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
