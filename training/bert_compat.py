"""bert-for-tf2 0.14.9 on TensorFlow 2.21: everything that makes its layer equal the reference BERT.

Use it as `from training.bert_compat import bert_layer, keras, tf`: nothing else in training imports TensorFlow, so
the order can't go wrong. What it needs, and why:

- Keras 2 (tf-keras), chosen by TF_USE_LEGACY_KERAS before TensorFlow is imported.
- `tensorflow.python.keras` bound to tf-keras: bert-for-tf2 takes some layers from there, and that older copy's classes
  are not tf-keras's.
- `mask_zero`, without which padding is attended to, and token types as a second input, without which their embedding
  is never made and the pretrained one is silently dropped.
- oneDNN's kernels, which TensorFlow leaves off on older processors, where they are faster too; and weights that are not
  taken for frozen, as a worker has them, whatever the process that started this one has in its environment: a product
  would go on with the weights of the first step.

What is trained is the layer's variables: of a BERT, or of an ALBERT whose layers share all their weights.
`training.fit.encoder` computes with them what the layer would, faster.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from contract import native_stderr

os.environ["TF_USE_LEGACY_KERAS"] = "1"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ["TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"] = "0"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with native_stderr.logged(logging.getLogger(__name__)):
    import tensorflow as tf
    import tensorflow.python as tensorflow_python
    import tf_keras as keras

tensorflow_python.keras = keras
sys.modules["tensorflow.python.keras"] = keras
sys.modules["tensorflow.python.keras.backend"] = keras.backend

import bert  # noqa: E402
import params_flow  # noqa: E402

from contract.artifact import ActivationName, Architecture  # noqa: E402

__all__ = ["bert_layer", "keras", "tf"]

ACTIVATIONS: dict[ActivationName, Callable[[Any], Any]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
}


def bert_layer(architecture: Architecture, dropout: float = 0.0) -> Any:
    """A built `bert.BertModelLayer`: [int32[batch, length], token types likewise] → float32[batch, length, hidden].

    `length` must be static but may differ from call to call: the layers' memory of the shape that they were built
    with is cleared.
    """
    layer = bert.BertModelLayer.from_params(_params(architecture, dropout), name="bert")
    sample = tf.ones((1, 2), tf.int32)
    layer([sample, tf.zeros_like(sample)])
    for part in layer._flatten_layers():
        part.input_spec = None
        if isinstance(part, params_flow.LayerNormalization):
            part.params.epsilon = architecture.layer_norm_eps
    return layer


def _params(architecture: Architecture, dropout: float) -> Any:
    return bert.BertModelLayer.Params(
        vocab_size=architecture.vocab_size,
        embedding_size=architecture.embedding_size,
        shared_layer=architecture.family == "albert",
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
