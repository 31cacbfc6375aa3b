"""A classifier in plain numpy, one text at a time and unpacked: what the engine's numbers are held to.

In float64, or in float32, which is what imports use. Letters in shapes: L tokens of the text, H hidden size, A
attention heads, D = H / A.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import ActivationName, Architecture
from encoders.weights import ClassifierWeights, EmbeddingWeights, HeadWeights, LayerWeights, LinearWeights, NormWeights

Array = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]

ERF = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)


def logits(
    weights: ClassifierWeights, architecture: Architecture, ids: Ids, dtype: type[np.floating[Any]] = np.float64
) -> Array:
    """`dtype`[labels] of the text with these ids, special tokens included."""
    return _linear(weights.head.classifier, features(weights, architecture, ids, dtype))


def features(
    weights: ClassifierWeights, architecture: Architecture, ids: Ids, dtype: type[np.floating[Any]] = np.float64
) -> Array:
    """`dtype`[H]: what the classifier reads of the text."""
    state = _embed(weights.embeddings, ids, architecture.layer_norm_eps, dtype)
    for layer in weights.layers:
        state = _apply_layer(layer, architecture, state)
    return _dense(weights.head, state.mean(axis=0) if weights.reads_mean else state[0])


def distance(features: Array, means: Array) -> float:
    """1 - cosine between what is read of a text, [H], and the nearest of some means of unit length, [means, H]."""
    return float(1 - (means @ features).max() / max(float(np.linalg.norm(features)), 1e-6))


def probabilities(logits: Array, activation: str) -> Array:
    """The softmax over the labels, or each label's sigmoid; of the same shape."""
    if activation == "sigmoid":
        likely: Array = 1 / (1 + np.exp(-logits))
        return likely
    exponents: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
    total: Array = exponents.sum(axis=-1, keepdims=True)
    return exponents / total


def _embed(weights: EmbeddingWeights, ids: Ids, epsilon: float, dtype: type[np.floating[Any]]) -> Array:
    """[L] → [L, H]"""
    summed = weights.words[ids].astype(dtype) + weights.positions[: len(ids)]
    state = _norm(weights.norm, summed, epsilon)
    return _linear(weights.projection, state) if weights.projection else state


def _apply_layer(layer: LayerWeights, architecture: Architecture, state: Array) -> Array:
    """[L, H] → [L, H]"""
    attended = _linear(layer.attended, _attend(layer, architecture.num_attention_heads, state))
    state = _norm(layer.attended_norm, state + attended, architecture.layer_norm_eps)
    inner = ACTIVATIONS[architecture.activation](_linear(layer.inner, state))
    return _norm(layer.outer_norm, state + _linear(layer.outer, inner), architecture.layer_norm_eps)


def _attend(layer: LayerWeights, heads: int, state: Array) -> Array:
    """[L, H] → [L, H]"""

    def split(linear: LinearWeights) -> Array:
        return _linear(linear, state).reshape(len(state), heads, -1).transpose(1, 0, 2)  # [A, L, D]

    query, key, value = split(layer.query), split(layer.key), split(layer.value)
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])  # [A, L, L]
    mixed = probabilities(scores, "softmax") @ value  # [A, L, D]
    joined: Array = mixed.transpose(1, 0, 2).reshape(len(state), -1)
    return joined


def _dense(head: HeadWeights, pooled: Array) -> Array:
    """[H] → [H], through the head's dense layer if it has one."""
    return ACTIVATIONS[head.activation](_linear(head.dense, pooled)) if head.dense else pooled


def _linear(weights: LinearWeights, inputs: Array) -> Array:
    product: Array = inputs @ weights.weight.T.astype(inputs.dtype, copy=False)
    return product + weights.bias


def _norm(weights: NormWeights, inputs: Array, epsilon: float) -> Array:
    centred = inputs - inputs.mean(axis=-1, keepdims=True)
    scaled: Array = centred / np.sqrt(inputs.var(axis=-1, keepdims=True) + epsilon)
    return scaled * weights.scale + weights.shift


def _relu(inputs: Array) -> Array:
    positive: Array = np.maximum(inputs, 0)
    return positive


def _erf(x: Array) -> Array:
    """The error function, to 1.2e-7: a Chebyshev fit (Press et al., Numerical Recipes, 6.2). numpy has none."""
    t = 1 / (1 + 0.5 * np.abs(x))
    exponent: Array = np.full_like(t, ERF[-1])
    for coefficient in ERF[-2::-1]:
        exponent = coefficient + t * exponent
    return np.copysign(1 - t * np.exp(exponent - x * x), x)


ACTIVATIONS: dict[ActivationName, Callable[[Array], Array]] = {
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
    "relu": _relu,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
}
