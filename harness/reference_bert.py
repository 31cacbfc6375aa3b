"""BERT for sequence classification in plain numpy: an independent truth to hold faster implementations to.

Written from the paper (Devlin et al. 2018, https://arxiv.org/abs/1810.04805) and the tensor names of Hugging Face's
`BertForSequenceClassification`. One text at a time, no padding, no mask, float64 throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture

Array = NDArray[np.float64]
Weights = Mapping[str, NDArray[np.float32]]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def probabilities(weights: Weights, architecture: Architecture, ids: Sequence[int], temperature: float = 1.0) -> Array:
    """float64[labels]: the classifier's softmax for one text's WordPiece ids, [CLS] and [SEP] included."""
    return softmax(logits(weights, architecture, ids) / temperature)


def logits(weights: Weights, architecture: Architecture, ids: Sequence[int]) -> Array:
    """float64[labels]: tanh pooler on [CLS], then the classifier."""
    return _linear(weights, "classifier", pooled(weights, architecture, ids))


def pooled(weights: Weights, architecture: Architecture, ids: Sequence[int]) -> Array:
    """float64[hidden]: what the classifier reads."""
    read: Array = np.tanh(_linear(weights, "bert.pooler.dense", hidden(weights, architecture, ids)[0]))
    return read


def distance(read: Array, means: NDArray[np.float32]) -> float:
    """From the nearest of some means, float32[means, hidden]: 1 - cosine."""
    return min(1 - float(read @ mean / (np.linalg.norm(read) * np.linalg.norm(mean))) for mean in means)


def softmax(inputs: Array) -> Array:
    """One label a text: shares that sum to 1."""
    exponents: Array = np.exp(inputs - inputs.max(axis=-1, keepdims=True))
    total: Array = exponents.sum(axis=-1, keepdims=True)
    return exponents / total


def sigmoid(inputs: Array) -> Array:
    """Any number of labels a text: each label's probability by itself."""
    found: Array = 1 / (1 + np.exp(-inputs))
    return found


def hidden(weights: Weights, architecture: Architecture, ids: Sequence[int]) -> Array:
    """float64[tokens, hidden]: the last encoder layer's output."""
    eps = architecture.layer_norm_eps
    state = _embeddings(weights, ids, eps)
    for number in range(architecture.num_hidden_layers):
        layer = f"bert.encoder.layer.{number}"
        attended = _attention(weights, f"{layer}.attention.self", architecture.num_attention_heads, state)
        attended = _linear(weights, f"{layer}.attention.output.dense", attended)
        state = _layer_norm(weights, f"{layer}.attention.output.LayerNorm", state + attended, eps)
        inner = _gelu(_linear(weights, f"{layer}.intermediate.dense", state), architecture.activation)
        outer = _linear(weights, f"{layer}.output.dense", inner)
        state = _layer_norm(weights, f"{layer}.output.LayerNorm", state + outer, eps)
    return state


def _embeddings(weights: Weights, ids: Sequence[int], eps: float) -> Array:
    words = _tensor(weights, "bert.embeddings.word_embeddings.weight")[list(ids)]
    positions = _tensor(weights, "bert.embeddings.position_embeddings.weight")[: len(ids)]
    token_type = _tensor(weights, "bert.embeddings.token_type_embeddings.weight")[0]
    return _layer_norm(weights, "bert.embeddings.LayerNorm", words + positions + token_type, eps)


def _attention(weights: Weights, name: str, heads: int, state: Array) -> Array:
    def split(part: str) -> Array:
        projected = _linear(weights, f"{name}.{part}", state)
        return projected.reshape(len(state), heads, -1).transpose(1, 0, 2)  # [heads, tokens, size]

    query, key, value = split("query"), split("key"), split("value")
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
    return (softmax(scores) @ value).transpose(1, 0, 2).reshape(len(state), -1)


def _linear(weights: Weights, name: str, inputs: Array) -> Array:
    return inputs @ _tensor(weights, f"{name}.weight").T + _tensor(weights, f"{name}.bias")


def _layer_norm(weights: Weights, name: str, inputs: Array, eps: float) -> Array:
    centred = inputs - inputs.mean(axis=-1, keepdims=True)
    scaled: Array = centred / np.sqrt(inputs.var(axis=-1, keepdims=True) + eps)
    return scaled * _tensor(weights, f"{name}.weight") + _tensor(weights, f"{name}.bias")


def _gelu(inputs: Array, kind: str) -> Array:
    if kind == "gelu_tanh":
        share: Array = 1 + np.tanh(math.sqrt(2 / math.pi) * (inputs + 0.044715 * inputs**3))
    else:
        share = 1 + _erf(inputs / math.sqrt(2))
    return 0.5 * inputs * share


def _tensor(weights: Weights, name: str) -> Array:
    return weights[name].astype(np.float64)
