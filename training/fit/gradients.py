"""Operations of an encoder whose gradients take fewer passes over memory than those that TensorFlow derives.

On a CPU a step's products take half of its time; most of the rest is such passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from training.bert_compat import tf
from training.fit.dropout import Drop

Gradient = Callable[[Any], Any]


@tf.custom_gradient  # type: ignore[untyped-decorator]
def gelu(x: Any) -> tuple[Any, Gradient]:
    """`x` times the share of a normal distribution that lies below it, by the error function (Hendrycks 2016)."""
    below = 0.5 + 0.5 * tf.math.erf(x * math.sqrt(0.5))

    def gradient(upstream: Any) -> Any:
        density = tf.exp(-0.5 * x * x) * (1.0 / math.sqrt(2.0 * math.pi))
        return upstream * (below + x * density)

    return x * below, gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def dense(x: Any, kernel: Any, bias: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """[tokens, in] times [in, out] plus [out] → [tokens, out]"""

    def gradient(upstream: Any) -> tuple[Any, ...]:
        to_x = tf.matmul(upstream, kernel, transpose_b=True)
        # A product with ones sums up in float32 whatever the type, by more threads than a sum has.
        to_bias = tf.matmul(tf.ones_like(upstream[:, :1]), upstream, transpose_a=True)[0]
        return to_x, tf.matmul(x, upstream, transpose_a=True), to_bias

    return tf.nn.bias_add(tf.matmul(x, kernel), bias), gradient


@tf.custom_gradient  # type: ignore[untyped-decorator]
def layer_norm(x: Any, gamma: Any, beta: Any, epsilon: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """float32[tokens, hidden] → the same, each token with mean 0 and variance 1, times `gamma`, plus `beta`."""
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    inverse = tf.math.rsqrt(tf.reduce_mean(centred * centred, axis=-1, keepdims=True) + epsilon)
    normal = centred * inverse

    def gradient(upstream: Any) -> tuple[Any, ...]:
        along = upstream * normal
        scaled = upstream * gamma
        mean = tf.reduce_mean(scaled, axis=-1, keepdims=True)
        mean_along = tf.linalg.matvec(along, gamma)[:, None] / tf.cast(tf.shape(x)[-1], x.dtype)
        to_x = inverse * (scaled - mean - normal * mean_along)
        return to_x, tf.reduce_sum(along, axis=0), tf.reduce_sum(upstream, axis=0), None

    return normal * gamma + beta, gradient


def attention(query: Any, key: Any, value: Any, mask: Any, drop: Drop) -> Any:
    """softmax(query keyᵀ + mask) value, dropped weights left out: [texts, heads, length, size] → the same.

    `mask` is added to the scores of each text. Those are many more numbers than all else in a layer, so that few passes
    over them count: the gradient's sum over a row of them is that of upstream times output (Dao et al. 2022, appendix
    B.2), and the scale of what is kept is the value's.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def attending(query: Any, key: Any, value: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) + mask)
        kept = drop.some_of(weights)
        context = tf.matmul(kept, value)

        def gradient(upstream: Any) -> tuple[Any, ...]:
            along = tf.reduce_sum(tf.cast(upstream, tf.float32) * tf.cast(context, tf.float32), -1, keepdims=True)
            to_kept = tf.matmul(upstream, value, transpose_b=True)
            to_scores = kept * to_kept - weights * tf.cast(along, weights.dtype)
            to_query, to_key = tf.matmul(to_scores, key), tf.matmul(to_scores, query, transpose_a=True)
            return to_query, to_key, tf.matmul(kept, upstream, transpose_a=True)

        return context, gradient

    return attending(query, key, value * tf.cast(drop.scale, value.dtype))


def pad(rows: Any, tokens: Any, padded: Any) -> Any:
    """[T, …] → [places, …], row `padded[place]` at each place, zeros where that is T. `tokens` int32[T] undoes it.

    A gradient of `tf.gather` sums up rows that were gathered twice. Here none is, so it is gathered back.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def padding(rows: Any) -> tuple[Any, Gradient]:
        return _with_zeros(rows, padded), lambda upstream: tf.gather(upstream, tokens)

    return padding(rows)


def unpad(rows: Any, tokens: Any, padded: Any) -> Any:
    """[places, …] → [T, …], what is at the places `tokens`: undoes `pad`."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def unpadding(rows: Any) -> tuple[Any, Gradient]:
        return tf.gather(rows, tokens), lambda upstream: _with_zeros(upstream, padded)

    return unpadding(rows)


def _with_zeros(rows: Any, numbers: Any) -> Any:
    return tf.gather(tf.concat([rows, tf.zeros_like(rows[:1])], axis=0), numbers)
