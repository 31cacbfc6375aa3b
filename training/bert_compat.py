"""bert-for-tf2 0.14.9 on TensorFlow 2.21: everything that makes its layer equal the reference BERT.

Use it as `from training.bert_compat import bert_layer, keras, tf`: nothing else in training imports TensorFlow, so
the order can't go wrong. What it needs, and why:

- Keras 2 (tf-keras), chosen by TF_USE_LEGACY_KERAS before TensorFlow is imported.
- `tensorflow.python.keras` bound to tf-keras: bert-for-tf2 takes some layers from there, and that older copy's classes
  are not tf-keras's.
- `mask_zero`, without which padding is attended to, and token types as a second input, without which their embedding
  is never made and the pretrained one is silently dropped.
- Its attention adds a float32 mask to scores of any precision; `_Attention` computes the softmax in float32 and the
  products in the layer's own precision. Layer normalization is always computed in float32.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
import tensorflow.python as tensorflow_python
import tf_keras as keras

tensorflow_python.keras = keras
sys.modules["tensorflow.python.keras"] = keras
sys.modules["tensorflow.python.keras.backend"] = keras.backend

import bert  # noqa: E402
import bert.attention  # noqa: E402
import bert.embeddings  # noqa: E402
import bert.transformer  # noqa: E402
import params_flow  # noqa: E402

from contract.artifact import ActivationName, Architecture  # noqa: E402

__all__ = ["bert", "bert_layer", "keras", "params_flow", "tf"]

# Dropout then draws from generators whose state can be set, so that an interrupted run can be continued exactly.
keras.backend.experimental.enable_tf_random_generator()

MASKED = -10000.0
ACTIVATIONS: dict[ActivationName, Callable[[Any], Any]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
}


class _Attention(bert.attention.AttentionLayer):  # type: ignore[misc]
    """Scaled dot-product attention: float32 softmax, products in the compute precision of the layer."""

    def call(self, inputs: Any, mask: Any = None, training: Any = None, **_: Any) -> Any:
        """`inputs` [batch, length, hidden], `mask` bool[batch, length] → [batch, length, hidden]."""
        length, heads, size = inputs.shape[1], self.params.num_heads, self.params.size_per_head

        def split(tensor: Any) -> Any:
            return tf.transpose(tf.reshape(tensor, [-1, length, heads, size]), [0, 2, 1, 3])

        query = split(self.query_layer(inputs) * size**-0.5)
        key, value = split(self.key_layer(inputs)), split(self.value_layer(inputs))
        scores = tf.cast(tf.matmul(query, key, transpose_b=True), tf.float32)  # [batch, heads, length, length]
        if mask is not None:
            scores += ((1.0 - tf.cast(mask, tf.float32)) * MASKED)[:, None, None, :]
        weights = self.dropout_layer(tf.cast(tf.nn.softmax(scores), value.dtype), training=training)
        context = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return tf.reshape(context, [-1, length, heads * size])


_LayerNorm = functools.partial(params_flow.LayerNormalization, dtype="float32")
bert.transformer.AttentionLayer = _Attention
bert.transformer.LayerNormalization = _LayerNorm
bert.embeddings.pf = SimpleNamespace(LayerNormalization=_LayerNorm)


def bert_layer(architecture: Architecture, dropout: float) -> Any:
    """A built `bert.BertModelLayer`: [int32[batch, length], token types likewise] → [batch, length, hidden].

    `length` must be static but may differ from call to call: the layers' memory of the shape that they were built
    with is cleared. The layer computes in the precision of Keras's global policy; its variables are float32.
    """
    layer = bert.BertModelLayer.from_params(_params(architecture, dropout), name="bert")
    sample = tf.ones((1, 2), tf.int32)
    layer([sample, sample])
    for part in layer._flatten_layers():
        part.input_spec = None
        if isinstance(part, params_flow.LayerNormalization):
            part.params.epsilon = architecture.layer_norm_eps
    return layer


def _params(architecture: Architecture, dropout: float) -> Any:
    return bert.BertModelLayer.Params(
        vocab_size=architecture.vocab_size,
        num_layers=architecture.num_hidden_layers,
        num_heads=architecture.num_attention_heads,
        hidden_size=architecture.hidden_size,
        intermediate_size=architecture.intermediate_size,
        intermediate_activation=ACTIVATIONS[architecture.activation],
        max_position_embeddings=architecture.max_position_embeddings,
        token_type_vocab_size=architecture.type_vocab_size,
        hidden_dropout=dropout,
        attention_dropout=dropout,
        mask_zero=True,
    )
