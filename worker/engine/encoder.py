"""BERT over packed rows, in plain TensorFlow operations.

After Devlin et al. 2018 (https://arxiv.org/abs/1810.04805); packing after Krell et al. 2021
(https://arxiv.org/abs/2107.02027). Letters in shapes: R rows, L tokens a row, S slots for texts a row, H hidden size,
A attention heads, D = H / A, T = R x L tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture
from encoders.tensors import Weights
from worker.engine.packing import Grid
from worker.engine.precision import Precision
from worker.engine.tensorflow_env import tf

Tensor = Any
SCORE_SCALE = 0.5
"""Multiplies the attention scores, exactly in every precision: oneDNN fuses product, scale and mask, or nothing."""
MASKED = -1e4
"""Added to the attention scores between two texts. Within float16's range; its exponential is 0."""


class Encoder:
    """One model's weights on the device, in one precision, and the function that computes probabilities from them.

    The layers' numbers are in `precision`; layer norms, the logits and their softmax are in float32.
    """

    def __init__(
        self,
        weights: Weights,
        architecture: Architecture,
        *,
        temperature: float = 1.0,
        precision: Precision = "float32",
        compile_with_xla: bool = False,
    ) -> None:
        self.precision = precision
        self.traces = 0
        """Times that the function was traced, or compiled for a new shape. Constant once every shape was run."""
        self._compiled_shapes: set[tuple[int, int]] = set()
        self._xla = compile_with_xla
        self._architecture = architecture
        self._dtype = tf.as_dtype(precision)
        self._embeddings = self._prepare_embeddings(weights)
        self._layers = [self._prepare_layer(weights, n) for n in range(architecture.num_hidden_layers)]
        self._pooler = self._dense(weights, "bert.pooler.dense")
        self._classifier = (
            tf.constant(weights["classifier.weight"].T / temperature),
            tf.constant(weights["classifier.bias"] / temperature),
        )
        grid = tf.TensorSpec([None, None], tf.int32)
        self._function = tf.function(
            self._probabilities, input_signature=[grid, grid, grid, grid], jit_compile=compile_with_xla
        )

    def __call__(self, grid: Grid) -> NDArray[np.float32]:
        """float32[R, S, labels]: probabilities per slot; those of slots without a text mean nothing."""
        if self._xla and grid.ids.shape not in self._compiled_shapes:
            self._compiled_shapes.add(grid.ids.shape)
            self.traces += 1
        result: NDArray[np.float32] = self._function(*(tf.constant(part) for part in grid)).numpy()
        return result

    def _prepare_embeddings(self, weights: Weights) -> dict[str, Tensor]:
        name = "bert.embeddings"
        # Every text is a single segment, so its token type is always 0 and can be added to the positions beforehand.
        positions = weights[f"{name}.position_embeddings.weight"] + weights[f"{name}.token_type_embeddings.weight"][0]
        return {
            "words": tf.constant(weights[f"{name}.word_embeddings.weight"], self._dtype),
            "positions": tf.constant(positions, self._dtype),
            "norm": self._norm(weights, f"{name}.LayerNorm"),
        }

    def _prepare_layer(self, weights: Weights, number: int) -> dict[str, Tensor]:
        name = f"bert.encoder.layer.{number}"
        size = self._architecture.hidden_size // self._architecture.num_attention_heads
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        kernels = [weights[f"{part}.weight"].T for part in parts]
        biases = [weights[f"{part}.bias"] for part in parts]
        scale = np.float32(size**-0.5 / SCORE_SCALE)
        kernels[0], biases[0] = kernels[0] * scale, biases[0] * scale
        layer = {
            "attended": self._dense(weights, f"{name}.attention.output.dense"),
            "attended_norm": self._norm(weights, f"{name}.attention.output.LayerNorm"),
            "inner": self._dense(weights, f"{name}.intermediate.dense"),
            "outer": self._dense(weights, f"{name}.output.dense"),
            "outer_norm": self._norm(weights, f"{name}.output.LayerNorm"),
        }
        if number < self._architecture.num_hidden_layers - 1:
            return layer | {"query_key_value": self._pair(np.hstack(kernels), np.hstack(biases))}
        return layer | {
            "query": self._pair(kernels[0], biases[0]),
            "key_value": self._pair(np.hstack(kernels[1:]), np.hstack(biases[1:])),
        }

    def _dense(self, weights: Weights, name: str) -> tuple[Tensor, Tensor]:
        return self._pair(weights[f"{name}.weight"].T, weights[f"{name}.bias"])

    def _pair(self, kernel: NDArray[np.float32], bias: NDArray[np.float32]) -> tuple[Tensor, Tensor]:
        return tf.constant(kernel, self._dtype), tf.constant(bias, self._dtype)

    def _norm(self, weights: Weights, name: str) -> tuple[Tensor, Tensor]:
        return self._pair(weights[f"{name}.weight"], weights[f"{name}.bias"])

    def _probabilities(self, ids: Tensor, position_ids: Tensor, segment_ids: Tensor, cls_positions: Tensor) -> Tensor:
        """float32[R, S, labels] from int32[R, L] three times and int32[R, S]; see packing.Grid."""
        self.traces += 1
        rows, length = tf.unstack(tf.shape(ids))
        cls_segments = tf.gather(segment_ids, cls_positions, batch_dims=1)
        mask = self._mask(segment_ids, segment_ids)
        flat_cls = tf.reshape(cls_positions + tf.range(rows)[:, None] * length, [-1])
        state = self._embed(tf.reshape(ids, [-1]), tf.reshape(position_ids, [-1]))
        for layer in self._layers[:-1]:
            query, key, value = self._split(linear(state, layer["query_key_value"]), rows, 3)
            state = self._finish_layer(layer, self._attend(query, key, value, mask), state)
        # Only the first token of each text is read from the last layer, so only those are computed.
        layer, cls_state = self._layers[-1], tf.gather(state, flat_cls)
        (query,) = self._split(linear(cls_state, layer["query"]), rows, 1)
        key, value = self._split(linear(state, layer["key_value"]), rows, 2)
        attended = self._attend(query, key, value, self._mask(cls_segments, segment_ids))
        logits = self._classify(self._finish_layer(layer, attended, cls_state))
        return tf.reshape(tf.nn.softmax(logits), [rows, -1, logits.shape[-1]])

    def _embed(self, ids: Tensor, position_ids: Tensor) -> Tensor:
        words = tf.gather(self._embeddings["words"], ids)
        return self._layer_norm(
            words + tf.gather(self._embeddings["positions"], position_ids), self._embeddings["norm"]
        )

    def _mask(self, queries: Tensor, keys: Tensor) -> Tensor:
        """[R, 1, queries, keys] to add to the scores: 0 within a text, MASKED between two."""
        different = tf.not_equal(queries[:, :, None], keys[:, None, :])
        return (tf.cast(different, self._dtype) * tf.constant(MASKED, self._dtype))[:, None]

    def _split(self, fused: Tensor, rows: Tensor, parts: int) -> list[Tensor]:
        """[parts x R, L, parts x H] to `parts` tensors of [R, A, L, D]."""
        heads = self._architecture.num_attention_heads
        size = self._architecture.hidden_size // heads
        split = tf.transpose(tf.reshape(fused, [rows, -1, parts, heads, size]), [2, 0, 3, 1, 4])
        return list(tf.unstack(split, parts))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Scaled dot-product attention, [R, queries, A, D]; most of the scale is in the query's weights."""
        scores = tf.matmul(query, key, transpose_b=True) * tf.constant(SCORE_SCALE, self._dtype) + mask
        return tf.transpose(tf.matmul(tf.nn.softmax(scores), value), [0, 2, 1, 3])

    def _finish_layer(self, layer: dict[str, Tensor], attended: Tensor, state: Tensor) -> Tensor:
        # In the shape of `state` by construction, so that oneDNN fuses the sum into the product.
        attended = tf.reshape(attended, tf.shape(state))
        state = self._layer_norm(linear(attended, layer["attended"]) + state, layer["attended_norm"])
        inner = tf.nn.gelu(linear(state, layer["inner"]), approximate=self._architecture.activation == "gelu_tanh")
        return self._layer_norm(linear(inner, layer["outer"]) + state, layer["outer_norm"])

    def _layer_norm(self, inputs: Tensor, scale_and_shift: tuple[Tensor, Tensor]) -> Tensor:
        """As a batch norm in which each token is a channel: TensorFlow turns that into oneDNN's layer norm.

        The statistics are in float32 in every precision.
        """
        scale, shift = scale_and_shift
        tokens = tf.shape(inputs)[0]
        normed = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(inputs, [1, tokens, self._architecture.hidden_size, 1]),
            scale=tf.fill([tokens], 1.0),
            offset=tf.fill([tokens], 0.0),
            mean=tf.constant([], tf.float32),
            variance=tf.constant([], tf.float32),
            epsilon=self._architecture.layer_norm_eps,
            data_format="NCHW",
            is_training=True,
        )[0]
        return tf.reshape(normed, tf.shape(inputs)) * scale + shift

    def _classify(self, cls_positions: Tensor) -> Tensor:
        """float32[R x S, labels]: logits over temperature."""
        pooled = tf.tanh(linear(cls_positions, self._pooler))
        return linear(tf.cast(pooled, tf.float32), self._classifier)


def linear(inputs: Tensor, kernel_and_bias: tuple[Tensor, Tensor]) -> Tensor:
    """Two-dimensional in and out, so that oneDNN fuses the product with its bias and what follows it."""
    kernel, bias = kernel_and_bias
    return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)
