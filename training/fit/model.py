"""The classifier that is trained: the encoder, what is read of its last layer, dropout, one linear layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling
from encoders.families import CLASSIFIER, family_of, head_of
from encoders.tensors import classifier_shapes, encoder_shapes
from training.bert_compat import bert_layer, tf
from training.data.batches import NO_TOKEN, Examples, fill, plan_in_order
from training.fit.dropout import Drop, nothing_dropped
from training.fit.encoder import TokenEncoder
from training.pretrained.base_model import is_tuned
from training.pretrained.names import artifact_name, transposed

Tensors = dict[str, NDArray[np.float32]]


class Classifier:
    """Variables are float32 whatever the precision of the products; so are the pooling, the classifier and logits.

    bert-for-tf2 makes those of encoders that it has; what it has not is computed, and not trained.
    """

    def __init__(
        self, architecture: Architecture, labels: int, *, precision: str = "float32", pooling: Pooling = "pooler"
    ) -> None:
        family, self._pooling = family_of(architecture), pooling
        self.bert: Any = bert_layer(architecture) if is_tuned(architecture) else None
        made = {artifact_name(v.name, family.name): v for v in self.bert.trainable_variables} if self.bert else {}
        expected = {family.prefix + name for name in encoder_shapes(architecture)}
        if self.bert and made.keys() != expected:
            raise AssertionError(f"bert-for-tf2 made other variables: {made.keys() ^ expected}")
        shapes = classifier_shapes(architecture, labels, pooling)
        self.variables = {name: made[name] if name in made else _zeros(name, shapes[name]) for name in shapes}
        """By the artifact's names, linear weights as [in, out]."""
        self._dense = head_of(family, pooling).dense
        self._encoder = TokenEncoder(self.variables, architecture, precision)

    def logits(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, labels]; NO_TOKEN is padding."""
        return self._linear(CLASSIFIER, drop(self.features(ids, drop)))

    def features(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, hidden], what the classifier reads."""
        return self.pooled(self.states(ids, drop), ids, self._pooling)

    def states(self, ids: Any, drop: Drop = nothing_dropped) -> Any:
        """int32[batch, length] → float32[batch, length, hidden], the last layer; 0 where padding is."""
        return self._encoder(ids, drop)

    def pooled(self, states: Any, ids: Any, pooling: Pooling) -> Any:
        """float32[batch, length, hidden] → float32[batch, hidden]"""
        if pooling == "mean":
            tokens = tf.reduce_sum(tf.cast(ids != NO_TOKEN, tf.float32), axis=1, keepdims=True)
            # Rows that only fill a batch have no token at all.
            return tf.reduce_sum(states, axis=1) / tf.maximum(tokens, 1.0)
        return tf.tanh(self._linear(self._dense, states[:, 0])) if pooling == "pooler" else states[:, 0]

    def _linear(self, name: str | None, x: Any) -> Any:
        return tf.nn.bias_add(tf.matmul(x, self.variables[f"{name}.weight"]), self.variables[f"{name}.bias"])

    def load(self, tensors: Mapping[str, NDArray[np.float32]]) -> None:
        """Set every variable from float32 tensors by Hugging Face's names. Raises KeyError when one is missing."""
        for name, variable in self.variables.items():
            variable.assign(transposed(name, tensors[name]))

    def tensors(self) -> Tensors:
        """Every variable as Hugging Face has it: linear weights are [out, in]."""
        return {name: transposed(name, v.numpy()) for name, v in self.variables.items()}


def _zeros(name: str, shape: tuple[int, ...]) -> Any:
    return tf.Variable(transposed(name, np.zeros(shape, np.float32)))


def predictor(model: Classifier, lengths: Sequence[int]) -> Callable[[Examples], NDArray[np.float32]]:
    """A function from examples to their float32[texts, labels] logits, in their order."""
    return in_batches(model.logits, lengths)


def in_batches(
    function: Callable[[Any], Any], lengths: Sequence[int], batch_size: int = 64
) -> Callable[[Examples], NDArray[np.float32]]:
    """`function`, from int32[batch, length] to float32[batch, …], made one of examples: of each in their order."""
    run = tf.function(function, input_signature=[tf.TensorSpec((None, None), tf.int32)], autograph=False)

    def apply(examples: Examples) -> NDArray[np.float32]:
        answers: NDArray[np.float32] | None = None
        for planned in plan_in_order(examples.lengths, lengths, batch_size):
            ids = fill(examples, planned, batch_size).ids
            found = run(tf.constant(ids)).numpy()
            answers = np.empty((len(examples), *found.shape[1:]), np.float32) if answers is None else answers
            answers[planned.texts] = found[: len(planned.texts)]
        return np.empty((0, 0), np.float32) if answers is None else answers

    return apply
