"""The classifier that is trained: bert-for-tf2's encoder, tanh pooler on [CLS], dropout, one linear layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture
from encoders.tensors import classifier_shapes
from training.bert_compat import bert_layer, keras, tf
from training.data.batches import Examples, fill, plan_in_order
from training.pretrained.names import hugging_face_name, transposed

Tensors = dict[str, NDArray[np.float32]]

INITIAL_SPREAD = 0.02
_POLICY = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


class Classifier:
    """Variables are float32 whatever the precision of the products; so are the pooler, the classifier and logits."""

    def __init__(self, architecture: Architecture, labels: int, dropout: float, precision: str = "float32") -> None:
        keras.mixed_precision.set_global_policy(_POLICY[precision])
        self.bert = bert_layer(architecture, dropout)
        keras.mixed_precision.set_global_policy("float32")
        self._pooler = keras.layers.Dense(architecture.hidden_size, activation="tanh", name="bert/pooler/dense")
        self._classifier = keras.layers.Dense(labels, name="classifier")
        self._dropout = keras.layers.Dropout(dropout)
        self._dropout.build((None, architecture.hidden_size))
        for layer in (self._pooler, self._classifier):
            with tf.name_scope(layer.name):
                layer.build((None, architecture.hidden_size))
        layers = (self.bert, self._pooler, self._classifier)
        self.variables = {hugging_face_name(v.name): v for layer in layers for v in layer.trainable_variables}
        expected = classifier_shapes(architecture, labels)
        if self.variables.keys() != expected.keys():
            raise AssertionError(f"bert-for-tf2 made other variables: {self.variables.keys() ^ expected.keys()}")
        self._generators = [
            part._random_generator._generator
            for part in [*self.bert._flatten_layers(), self._dropout]
            if isinstance(part, keras.layers.Dropout)
        ]

    def logits(self, ids: Any, training: bool = False) -> Any:
        """int32[batch, length] → float32[batch, labels]; id 0 is padding. `length` must be static."""
        states = self.bert([ids, tf.zeros_like(ids)], training=training)
        pooled = self._pooler(tf.cast(states[:, 0], tf.float32))
        return self._classifier(self._dropout(pooled, training=training))

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


def initial_classifier(architecture: Architecture, labels: int, seed: int) -> Tensors:
    """The new linear layer before training: normal with the spread that BERT was initialized with, bias 0."""
    weight = np.random.default_rng(seed).normal(0.0, INITIAL_SPREAD, (labels, architecture.hidden_size))
    return {"classifier.weight": weight.astype(np.float32), "classifier.bias": np.zeros(labels, np.float32)}


def predictor(model: Classifier, lengths: Sequence[int], batch_size: int = 64) -> Callable[[Examples], Any]:
    """A function from examples to their float32[texts, labels] logits, in their order; traced once per length."""

    traced = tf.function(model.logits)

    @functools.cache
    def run(length: int) -> Any:
        return traced.get_concrete_function(tf.TensorSpec((batch_size, length), tf.int32))

    def predict(examples: Examples) -> NDArray[np.float32]:
        answers = np.empty((len(examples), model.variables["classifier.bias"].shape[0]), np.float32)
        for planned in plan_in_order(examples.lengths, lengths, batch_size):
            ids = fill(examples, planned, batch_size).ids
            answers[planned.texts] = run(planned.length)(tf.constant(ids)).numpy()[: len(planned.texts)]
        return answers

    return predict
