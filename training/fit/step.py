"""One optimizer step on one batch, on one device or dealt out to several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.families import CLASSIFIER, family_of
from training.bert_compat import tf
from training.data.batches import PaddedBatch
from training.evaluation.labelling import Labelling
from training.fit.contrast import contrastive_loss
from training.fit.dropout import Drop, Dropout
from training.fit.model import Classifier, Tensors
from training.fit.optimizer import DECAY_EVERY, AdamW, clip
from training.fit.start import Start
from training.hyperparameters import HyperParameters
from training.pretrained.base_model import BaseModel


class Trainer:
    """The model and its optimizer. `step` is traced once, on several devices once per batch length.

    What a step does is a function of the variables, the batch, the seed and the step's number: dropout too.
    """

    def __init__(self, *, base: BaseModel, start: Start, parameters: HyperParameters, strategy: Any = None) -> None:
        """Starts from `base` with the head of `start`; every GPU takes part if no `strategy` is given."""
        self._parameters = parameters
        self._strategy = strategy or _strategy()
        self._losses = start.labelling.losses
        with self._strategy.scope():
            self.model = Classifier(
                base.architecture,
                len(start.head.bias),
                precision=parameters.precision,
                pooling=start.pooling,
            )
            self._optimizer = AdamW(self.model.variables, parameters.weight_decay, {CLASSIFIER: parameters.head_rate})
        self.model.load(starting_weights(base, start))
        # Nothing in a step branches on a tensor: AutoGraph would only take seconds to find that.
        self._decay = tf.function(self._decay_all, autograph=False)
        self._step = tf.function(
            self._distributed_step,
            input_signature=_signature(start.labelling) if self._replicas == 1 else None,
            autograph=False,
        )

    @property
    def rows(self) -> int:
        """Rows of a batch: the texts of a step, a pair at least, rounded up so that every device has as many."""
        return -(-max(self._parameters.batch_size, 2) // self._replicas) * self._replicas

    @property
    def variables(self) -> dict[str, Any]:
        """Everything that a step changes."""
        return {f"model/{name}": variable for name, variable in self.model.variables.items()} | {
            f"optimizer/{name}": variable for name, variable in self._optimizer.variables.items()
        }

    def step(self, batch: PaddedBatch, weights: NDArray[np.float32], rate: float, number: int) -> float:
        """Train on `batch`, and return its loss before the step: the sum of the losses times `weights`."""
        shards = [self._shard(array) for array in (batch.ids, batch.labels, weights)]
        loss = float(self._step(*shards, tf.constant(rate, tf.float32), tf.constant(number, tf.int64)))
        if number % DECAY_EVERY == DECAY_EVERY - 1:
            self._decay(tf.constant(rate, tf.float32))
        return loss

    def _decay_all(self, rate: Any) -> None:
        self._optimizer.decay(self._strategy, rate)

    @property
    def _replicas(self) -> int:
        return int(self._strategy.num_replicas_in_sync)

    def _shard(self, array: NDArray[Any]) -> Any:
        if self._replicas == 1:
            return tf.constant(array)
        return self._strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(array[context.replica_id_in_sync_group :: self._replicas])
        )

    def _distributed_step(self, ids: Any, labels: Any, weights: Any, rate: Any, number: Any) -> Any:
        losses = self._strategy.run(self._replica_step, args=(ids, labels, weights, rate, number))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _replica_step(self, ids: Any, labels: Any, weights: Any, rate: Any, number: Any) -> Any:
        drop = Dropout(self._parameters.dropout, self._parameters.seed, number)
        with tf.GradientTape() as tape:
            loss = self._loss(ids, labels, weights, drop)
        variables = list(self.model.variables.values())
        gradients = tape.gradient(loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        if self._replicas > 1:
            gradients = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        self._optimizer.apply(clip(gradients, self._parameters.clip_norm), rate)
        return loss

    def _loss(self, ids: Any, labels: Any, weights: Any, drop: Drop) -> Any:
        if self._parameters.loss == "contrastive":
            return contrastive_loss(self.model.features(ids, drop), labels, weights)
        return tf.reduce_sum(self._losses(labels, self.model.logits(ids, drop)) * weights)


def starting_weights(base: BaseModel, start: Start) -> Tensors:
    """The frozen base model with its linear head, by the names of an artifact."""
    prefix = family_of(base.architecture).prefix
    encoder = {prefix + name: np.asarray(tensor) for name, tensor in base.tensors.items()}
    return encoder | start.head.tensors


def _signature(labelling: Labelling) -> list[Any]:
    """Of a step on one device: one trace does for batches of every length."""
    labels = (None,) * labelling.label_axes
    return [
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec(labels, tf.int32),
        tf.TensorSpec(labels, tf.float32),
        tf.TensorSpec((), tf.float32),
        tf.TensorSpec((), tf.int64),
    ]


def _strategy() -> Any:
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
