"""The parts of an encoder over packed rows, as nodes of an OpenVINO graph. Letters in shapes as in
`worker.engine.openvino_encoder`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from openvino import opset13 as ops

from contract.artifact import ActivationName, Architecture
from encoders.weights import EmbeddingWeights, HeadWeights, LayerWeights, LinearWeights, NormWeights
from worker.engine.encoder import MASKED

Node = Any

ACTIVATIONS: dict[ActivationName, Callable[[Node], Node]] = {
    "gelu": lambda x: ops.gelu(x, "erf"),
    "gelu_tanh": lambda x: ops.gelu(x, "tanh"),
    "quick_gelu": lambda x: ops.multiply(x, ops.sigmoid(ops.multiply(x, _number(1.702)))),
    "relu": ops.relu,
    "silu": ops.swish,
    "tanh": ops.tanh,
}


class GraphLinear:
    """A product and a bias."""

    def __init__(self, weights: LinearWeights) -> None:
        self._weight, self._bias = ops.constant(weights.weight), ops.constant(weights.bias)

    def __call__(self, inputs: Node) -> Node:
        """[…, inputs] → […, outputs]"""
        return ops.add(ops.matmul(inputs, self._weight, False, True), self._bias)


class GraphNorm:
    """Layer normalization (Ba et al. 2016) over the last axis."""

    def __init__(self, weights: NormWeights, architecture: Architecture) -> None:
        self._scale, self._shift = ops.constant(weights.scale), ops.constant(weights.shift)
        self._epsilon = architecture.layer_norm_eps

    def __call__(self, inputs: Node) -> Node:
        normed = ops.mvn(inputs, _numbers(-1), True, self._epsilon, "inside_sqrt")
        return ops.add(ops.multiply(normed, self._scale), self._shift)


def embed(weights: EmbeddingWeights, architecture: Architecture, ids: Node, position_ids: Node) -> Node:
    """int32[R, L] twice → [R, L, H]"""
    words, positions = ops.gather(weights.words, ids, 0), ops.gather(weights.positions, position_ids, 0)
    state = GraphNorm(weights.norm, architecture)(ops.add(words, positions))
    return GraphLinear(weights.projection)(state) if weights.projection else state


class GraphLayer:
    """Attention, then each token by itself, each with a sum and a norm behind it. Called again, it shares weights."""

    def __init__(self, weights: LayerWeights, architecture: Architecture) -> None:
        self._heads = architecture.num_attention_heads
        self._query, self._key, self._value = map(GraphLinear, (weights.query, weights.key, weights.value))
        self._attended, self._inner, self._outer = map(GraphLinear, (weights.attended, weights.inner, weights.outer))
        self._attended_norm = GraphNorm(weights.attended_norm, architecture)
        self._outer_norm = GraphNorm(weights.outer_norm, architecture)
        self._activation = ACTIVATIONS[architecture.activation]

    def __call__(self, state: Node, asking: Node, mask: Node) -> Node:
        """[R, L, H] of all tokens, [R, Q, H] of those that ask and [R, 1, Q, L] → [R, Q, H]"""
        query, key, value = map(self._split, (self._query(asking), self._key(state), self._value(state)))
        mixed = ops.scaled_dot_product_attention(query, key, value, mask)  # [R, A, Q, D]
        attended = ops.reshape(ops.transpose(mixed, _numbers(0, 2, 1, 3)), _numbers(0, 0, -1), special_zero=True)
        state = self._attended_norm(ops.add(self._attended(attended), asking))
        return self._outer_norm(ops.add(self._outer(self._activation(self._inner(state))), state))

    def _split(self, together: Node) -> Node:
        """[R, Q, H] → [R, A, Q, D]"""
        split = ops.reshape(together, _numbers(0, 0, self._heads, -1), special_zero=True)
        return ops.transpose(split, _numbers(0, 2, 1, 3))


def features(weights: HeadWeights, read: Node) -> Node:
    """What is read of each text → what its classifier reads, [R, S, H]"""
    return ACTIVATIONS[weights.activation](GraphLinear(weights.dense)(read)) if weights.dense else read


def mask_between(queries: Node, keys: Node) -> Node:
    """[R, 1, Q, L] to add to the scores, from int32[R, Q] and int32[R, L]: 0 within a text, MASKED between two."""
    different = ops.not_equal(ops.unsqueeze(queries, 2), ops.unsqueeze(keys, 1))
    return ops.unsqueeze(ops.select(different, _number(MASKED), _number(0.0)), 1)


def means_of_texts(state: Node, segment_ids: Node, cls_positions: Node) -> Node:
    """[R, S, H]: the mean of each text's tokens; 0 in slots without a text."""
    slots = ops.gather(ops.shape_of(cls_positions, "i32"), 1, 0)
    numbers = ops.range(1, ops.add(slots, np.int32(1)), 1, "i32")
    belongs = ops.equal(ops.unsqueeze(segment_ids, 1), ops.unsqueeze(ops.unsqueeze(numbers, 0), 2))  # [R, S, L]
    sums = ops.matmul(ops.convert(belongs, "f32"), state, False, False)
    counts = ops.reduce_sum(ops.convert(belongs, "i32"), 2, keep_dims=True)  # in a type that counts exactly
    return ops.divide(sums, ops.convert(ops.maximum(counts, np.int32(1)), "f32"))


def _numbers(*values: int) -> Node:
    return ops.constant(np.array(values, np.int64))


def _number(value: float) -> Node:
    return ops.constant(np.float32(value))
