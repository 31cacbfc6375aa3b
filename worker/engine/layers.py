"""The parts of an encoder over packed rows, as small things with weights on the device.

Letters in shapes: R rows, L tokens a row, T = R x L tokens, H hidden size, A attention heads, D = H / A. Q is what of
each row asks the others: all L tokens, or in the last layer only those that are read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import ActivationName, Architecture
from encoders.weights import EmbeddingWeights, HeadWeights, LayerWeights, LinearWeights, NormWeights
from worker.engine.tensorflow_env import tf

Tensor = Any
Dtype = Any

SCORE_SCALE = 0.5
"""Multiplies the attention scores, exactly in every precision: oneDNN fuses product, scale and mask, or nothing."""

ACTIVATIONS: dict[ActivationName, Callable[[Tensor], Tensor]] = {
    "gelu": lambda x: tf.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "quick_gelu": lambda x: x * tf.sigmoid(1.702 * x),
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "tanh": tf.tanh,
}


class Linear:
    """A product and a bias. Two-dimensional in and out, so that oneDNN fuses them with what follows."""

    def __init__(self, *parts: LinearWeights, dtype: Dtype) -> None:
        """With several `parts`, their outputs come side by side out of one product."""
        self._kernel = tf.constant(np.hstack([part.weight.T for part in parts]), dtype)
        self._bias = tf.constant(np.hstack([part.bias for part in parts]), dtype)
        self.dtype = dtype

    def __call__(self, inputs: Tensor) -> Tensor:
        return tf.nn.bias_add(tf.matmul(inputs, self._kernel), self._bias)


class LayerNorm:
    """Layer normalization (Ba et al. 2016), with its statistics in float32 in every precision."""

    def __init__(self, weights: NormWeights, epsilon: float, dtype: Dtype) -> None:
        self._scale, self._shift = tf.constant(weights.scale, dtype), tf.constant(weights.shift, dtype)
        self._size, self._epsilon = len(weights.scale), epsilon

    def __call__(self, inputs: Tensor) -> Tensor:
        """[T, H] → [T, H], as a batch norm in which each token is a channel: that becomes oneDNN's layer norm."""
        tokens = tf.shape(inputs)[0]
        normed = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(inputs, [1, tokens, self._size, 1]),
            scale=tf.fill([tokens], 1.0),
            offset=tf.fill([tokens], 0.0),
            mean=tf.constant([], tf.float32),
            variance=tf.constant([], tf.float32),
            epsilon=self._epsilon,
            data_format="NCHW",
            is_training=True,
        )[0]
        return tf.reshape(normed, tf.shape(inputs)) * self._scale + self._shift


class Embeddings:
    """What a token is and where it stands, as a vector."""

    def __init__(self, weights: EmbeddingWeights, epsilon: float, dtype: Dtype) -> None:
        self._words, self._positions = tf.constant(weights.words, dtype), tf.constant(weights.positions, dtype)
        self._norm = LayerNorm(weights.norm, epsilon, dtype)
        self._project = Linear(weights.projection, dtype=dtype) if weights.projection else None

    def __call__(self, ids: Tensor, position_ids: Tensor) -> Tensor:
        """[T] twice → [T, H]"""
        state = self._norm(tf.gather(self._words, ids) + tf.gather(self._positions, position_ids))
        return self._project(state) if self._project else state


class Attention:
    """Each token's mixture of the tokens of its own text: scaled dot-product attention in several heads."""

    def __init__(self, weights: LayerWeights, heads: int, dtype: Dtype, *, all_ask: bool) -> None:
        """`all_ask` makes query, key and value of all tokens in one product."""
        self._heads = heads
        query = _scaled(weights.query, heads)
        self.query = None if all_ask else Linear(query, dtype=dtype)
        together = (query, weights.key, weights.value) if all_ask else (weights.key, weights.value)
        self.together = Linear(*together, dtype=dtype)
        self.output = Linear(weights.attended, dtype=dtype)

    def __call__(self, state: Tensor, asking: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """[T, H], [R x Q, H] and [R, 1, Q, L] → [R x Q, H]"""
        if self.query:
            (query,) = self.split(self.query(asking), rows, 1)  # [R, A, Q, D]
            key, value = self.split(self.together(state), rows, 2)  # [R, A, L, D] each
        else:
            query, key, value = self.split(self.together(state), rows, 3)  # [R, A, L, D] each
        # In the shape of `asking` by construction, so that oneDNN fuses the product with their sum.
        return self.output(self.mix(query, key, value, mask, tf.shape(asking)))

    def split(self, together: Tensor, rows: Tensor, parts: int) -> Sequence[Tensor]:
        """[R x L, parts x H] → `parts` of [R, A, L, D]"""
        size = together.shape[-1] // parts // self._heads
        split = tf.transpose(tf.reshape(together, [rows, -1, parts, self._heads, size]), [2, 0, 3, 1, 4])
        return list(tf.unstack(split, parts))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, shape: Tensor) -> Tensor:
        """The heads' mixtures side by side, in the `shape` [R x Q, H]."""
        scores = tf.matmul(query, key, transpose_b=True) * tf.constant(SCORE_SCALE, query.dtype) + mask  # [R, A, Q, L]
        mixed = tf.matmul(tf.nn.softmax(scores), value)  # [R, A, Q, D]
        return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), shape)


class FeedForward:
    """Each token by itself: out to the inner size, an activation, and back."""

    def __init__(self, weights: LayerWeights, activation: ActivationName, dtype: Dtype) -> None:
        self._inner, self._outer = Linear(weights.inner, dtype=dtype), Linear(weights.outer, dtype=dtype)
        self._activation = ACTIVATIONS[activation]

    def __call__(self, state: Tensor) -> Tensor:
        """[T, H] → [T, H]"""
        return self._outer(self._activation(self._inner(state)))


class EncoderLayer:
    """Attention and feed-forward, each with a sum and a norm behind it."""

    def __init__(self, weights: LayerWeights, architecture: Architecture, dtype: Dtype, *, all_ask: bool) -> None:
        epsilon = architecture.layer_norm_eps
        self.attention = Attention(weights, architecture.num_attention_heads, dtype, all_ask=all_ask)
        self._attended_norm = LayerNorm(weights.attended_norm, epsilon, dtype)
        self._feed_forward = FeedForward(weights, architecture.activation, dtype)
        self._outer_norm = LayerNorm(weights.outer_norm, epsilon, dtype)

    def __call__(self, state: Tensor, asking: Tensor, mask: Tensor, rows: Tensor) -> Tensor:
        """[T, H] of all tokens and [R x Q, H] of those that ask → [R x Q, H]"""
        return self.finish(self.attention(state, asking, mask, rows), asking)

    def finish(self, attended: Tensor, asking: Tensor) -> Tensor:
        """[R x Q, H] twice → [R x Q, H]: what comes after the attention."""
        state = self._attended_norm(attended + asking)
        return self._outer_norm(self._feed_forward(state) + state)


class Head:
    """From what is read of each text to its logits, by way of what the classifier reads."""

    def __init__(self, weights: HeadWeights, dtype: Dtype) -> None:
        self._dense = Linear(weights.dense, dtype=dtype) if weights.dense else None
        self._activation = ACTIVATIONS[weights.activation]
        self._classifier = Linear(weights.classifier, dtype=tf.float32)

    def features(self, read: Tensor) -> Tensor:
        """[texts, H] → float32[texts, H]"""
        if self._dense:
            read = self._activation(self._dense(tf.cast(read, self._dense.dtype)))
        return tf.cast(read, tf.float32)

    def __call__(self, features: Tensor) -> Tensor:
        """float32[texts, H] → float32[texts, labels]"""
        return self._classifier(features)


class Distance:
    """How far what the classifier reads of a text is from the nearest mean of training texts: 1 - cosine."""

    def __init__(self, means: NDArray[np.float32]) -> None:
        """means: float32[means, H], of unit length."""
        self._means = tf.constant(means.T, tf.float32)

    def __call__(self, features: Tensor) -> Tensor:
        """float32[texts, H] → float32[texts, 1]"""
        cosines = tf.matmul(tf.math.l2_normalize(features, axis=-1), self._means)
        return 1.0 - tf.reduce_max(cosines, axis=-1, keepdims=True)


def mean_of_texts(state: Tensor, segment_ids: Tensor, slots: Tensor) -> Tensor:
    """float32[R x S, H] from [T, H] and int32[R, L]: the mean of each text's tokens; 0 in slots without a text."""
    rows, length = tf.unstack(tf.shape(segment_ids))
    belongs = tf.equal(segment_ids[:, None, :], tf.range(1, slots + 1)[None, :, None])  # [R, S, L]
    sums = tf.matmul(tf.cast(belongs, state.dtype), tf.reshape(state, [rows, length, -1]))  # [R, S, H]
    counts = tf.reduce_sum(tf.cast(belongs, tf.float32), axis=-1, keepdims=True)  # [R, S, 1]
    return tf.reshape(tf.cast(sums, tf.float32) / tf.maximum(counts, 1.0), [rows * slots, state.shape[-1]])


def _scaled(query: LinearWeights, heads: int) -> LinearWeights:
    """The query with the scale of the scores in it, but for SCORE_SCALE."""
    size = query.weight.shape[0] // heads
    scale = np.float32(size**-0.5 / SCORE_SCALE)
    return LinearWeights(query.weight * scale, query.bias * scale)
