"""The classifier that is trained: bert-for-tf2's encoder, what is read of its last layer, dropout, one linear layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling
from encoders.tensors import classifier_shapes
from training.bert_compat import bert_layer, keras, tf
from training.data.batches import Examples, fill, plan_in_order
from training.fit.dropout import Drop, nothing_dropped
from training.fit.encoder import TokenEncoder
from training.pretrained.names import hugging_face_name, transposed

Tensors = dict[str, NDArray[np.float32]]


class Classifier:
    """Variables are float32 whatever the precision of the products; so are the pooling, the classifier and logits."""

    def __init__(
        self, architecture: Architecture, labels: int, *, precision: str = "float32", pooling: Pooling = "pooler"
    ) -> None:
        self.bert = bert_layer(architecture)
        self._encoder = TokenEncoder(self.bert, architecture, precision)
        self._pooling = pooling
        self._pooler = keras.layers.Dense(architecture.hidden_size, activation="tanh", name="bert/pooler/dense")
        self._classifier = keras.layers.Dense(labels, name="classifier")
        for layer in (self._pooler, self._classifier):
            with tf.name_scope(layer.name):
                layer.build((None, architecture.hidden_size))
        layers = (self.bert, *[self._pooler] * (pooling == "pooler"), self._classifier)
        self.variables = {hugging_face_name(v.name): v for layer in layers for v in layer.trainable_variables}
        expected = classifier_shapes(architecture, labels, pooling)
        if self.variables.keys() != expected.keys():
            raise AssertionError(f"bert-for-tf2 made other variables: {self.variables.keys() ^ expected.keys()}")

    def logits(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, labels]; id 0 is padding."""
        return self._classifier(drop(self.features(ids, drop)))

    def features(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, hidden], what the classifier reads."""
        return self.pooled(self.states(ids, drop), ids, self._pooling)

    def states(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, length, hidden], the last layer; 0 where padding is."""
        return self._encoder(ids, drop)

    def pooled(self, states: Any, ids: Any, pooling: Pooling) -> Any:
        """float32[batch, length, hidden] → float32[batch, hidden]"""
        if pooling == "mean":
            tokens = tf.reduce_sum(tf.cast(ids != 0, tf.float32), axis=1, keepdims=True)
            # Rows that only fill a batch have no token at all.
            return tf.reduce_sum(states, axis=1) / tf.maximum(tokens, 1.0)
        return self._pooler(states[:, 0]) if pooling == "pooler" else states[:, 0]

    def load(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Set every variable from float32 tensors by Hugging Face's names. Raises KeyError when one is missing."""
        for name, variable in self.variables.items():
            variable.assign(transposed(name, tensors[name]))

    def tensors(self) -> Tensors:
        """Every variable as Hugging Face has it: linear weights are [out, in]."""
        return {name: transposed(name, v.numpy()) for name, v in self.variables.items()}


def predictor(model: Classifier, lengths: Sequence[int]) -> Callable[[Examples], NDArray[np.float32]]:
    """A function from examples to their float32[texts, labels] logits, in their order."""
    return in_batches(model.logits, lengths)


def in_batches(
    function: Callable[[Any], Any], lengths: Sequence[int], batch_size: int = 64
) -> Callable[[Examples], NDArray[np.float32]]:
    """`function`, from int32[batch, length] to float32[batch, …], made one of examples: of each in their order."""
    run = tf.function(function, input_signature=[tf.TensorSpec((None, None), tf.int32)])

    def apply(examples: Examples) -> NDArray[np.float32]:
        answers: NDArray[np.float32] | None = None
        for planned in plan_in_order(examples.lengths, lengths, batch_size):
            ids = fill(examples, planned, batch_size).ids
            found = run(tf.constant(ids)).numpy()
            answers = np.empty((len(examples), *found.shape[1:]), np.float32) if answers is None else answers
            answers[planned.texts] = found[: len(planned.texts)]
        return np.empty((0, 0), np.float32) if answers is None else answers

    return apply
