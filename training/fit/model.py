"""The classifier that is trained: bert-for-tf2's encoder, what is read of its last layer, dropout, one linear layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling
from encoders.tensors import classifier_shapes
from training.bert_compat import bert_layer, keras, tf
from training.data.batches import Examples, fill, plan_in_order
from training.pretrained.names import hugging_face_name, transposed

Tensors = dict[str, NDArray[np.float32]]

_POLICY = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class Classifier:
    """Variables are float32 whatever the precision of the products; so are the pooling, the classifier and logits."""

    def __init__(
        self,
        architecture: Architecture,
        labels: int,
        *,
        dropout: float = 0.0,
        precision: str = "float32",
        pooling: Pooling = "pooler",
    ) -> None:
        keras.mixed_precision.set_global_policy(_POLICY[precision])
        self.bert = bert_layer(architecture, dropout)
        keras.mixed_precision.set_global_policy("float32")
        self._pooling = pooling
        self._pooler = keras.layers.Dense(architecture.hidden_size, activation="tanh", name="bert/pooler/dense")
        self._classifier = keras.layers.Dense(labels, name="classifier")
        self._dropout = keras.layers.Dropout(dropout)
        self._dropout.build((None, architecture.hidden_size))
        for layer in (self._pooler, self._classifier):
            with tf.name_scope(layer.name):
                layer.build((None, architecture.hidden_size))
        layers = (self.bert, *[self._pooler] * (pooling == "pooler"), self._classifier)
        self.variables = {hugging_face_name(v.name): v for layer in layers for v in layer.trainable_variables}
        expected = classifier_shapes(architecture, labels, pooling)
        if self.variables.keys() != expected.keys():
            raise AssertionError(f"bert-for-tf2 made other variables: {self.variables.keys() ^ expected.keys()}")
        self._generators = [
            part._random_generator._generator
            for part in [*self.bert._flatten_layers(), self._dropout]
            if isinstance(part, keras.layers.Dropout)
        ]

    def logits(self, ids: Any, training: bool = False) -> Any:
        """int32[batch, length] → float32[batch, labels]; id 0 is padding. `length` must be static."""
        pooled = self.pooled(self.states(ids, training), ids, self._pooling)
        return self._classifier(self._dropout(pooled, training=training))

    def states(self, ids: Any, training: bool = False) -> Any:
        """int32[batch, length] → float32[batch, length, hidden], the last layer."""
        return tf.cast(self.bert([ids, tf.zeros_like(ids)], training=training), tf.float32)

    def pooled(self, states: Any, ids: Any, pooling: Pooling) -> Any:
        """float32[batch, length, hidden] → float32[batch, hidden]"""
        if pooling == "mean":
            real = tf.cast(ids != 0, tf.float32)[:, :, None]
            # Rows that only fill a batch have no token at all.
            return tf.reduce_sum(states * real, axis=1) / tf.maximum(tf.reduce_sum(real, axis=1), 1.0)
        return self._pooler(states[:, 0]) if pooling == "pooler" else states[:, 0]

    def seed_dropout(self, seed: int, step: Any) -> None:
        """Make the dropout of the next `logits` call a function of `seed`, int64 `step` and the replica alone.

        With a distribution strategy: in its scope, outside its replicas.
        """
        for number, generator in enumerate(self._generators):
            key = tf.constant(seed * 1000 + number, tf.int64)
            for replica, state in enumerate(tf.distribute.get_strategy().experimental_local_results(generator.state)):
                state.assign(tf.stack([tf.zeros_like(step), step * 1000 + replica, key]))

    def load(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Set every variable from float32 tensors by Hugging Face's names. Raises KeyError when one is missing."""
        for name, variable in self.variables.items():
            variable.assign(transposed(name, tensors[name]))

    def tensors(self) -> Tensors:
        """Every variable as Hugging Face has it: linear weights are [out, in]."""
        return {name: transposed(name, v.numpy()) for name, v in self.variables.items()}


def predictor(model: Classifier, lengths: Sequence[int]) -> Callable[[Examples], NDArray[np.float32]]:
    """A function from examples to their float32[texts, labels] logits, in their order; traced once per length."""
    return in_batches(model.logits, lengths)


def in_batches(
    function: Callable[[Any], Any], lengths: Sequence[int], batch_size: int = 64
) -> Callable[[Examples], NDArray[np.float32]]:
    """`function`, from int32[batch, length] to float32[batch, …], made one of examples: of each in their order."""
    traced = tf.function(function)

    @functools.cache
    def run(length: int) -> Any:
        return traced.get_concrete_function(tf.TensorSpec((batch_size, length), tf.int32))

    def apply(examples: Examples) -> NDArray[np.float32]:
        answers: NDArray[np.float32] | None = None
        for planned in plan_in_order(examples.lengths, lengths, batch_size):
            ids = fill(examples, planned, batch_size).ids
            found = run(planned.length)(tf.constant(ids)).numpy()
            answers = np.empty((len(examples), *found.shape[1:]), np.float32) if answers is None else answers
            answers[planned.texts] = found[: len(planned.texts)]
        return np.empty((0, 0), np.float32) if answers is None else answers

    return apply
