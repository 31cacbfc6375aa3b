"""A text classifier over packed rows, in plain TensorFlow operations.

After Devlin et al. 2018 (https://arxiv.org/abs/1810.04805); packing after Krell et al. 2021
(https://arxiv.org/abs/2107.02027). Letters in shapes as in `worker.engine.layers`, and S slots for texts a row.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture
from encoders.weights import ClassifierWeights
from worker.engine.encoder import MASKED, Runtime
from worker.engine.layers import Distance, Embeddings, EncoderLayer, Head, Tensor, mean_of_texts
from worker.engine.packing import Grid
from worker.engine.precision import Precision
from worker.engine.tensorflow_env import tf


class TensorFlowEncoder:
    """One model's weights on the device, in one precision, and the function that computes scores from them.

    The layers' numbers are in `precision`; layer norms, the logits and what makes them probabilities are in float32.
    """

    runtime: Runtime = "tensorflow"

    def __init__(
        self,
        weights: ClassifierWeights,
        architecture: Architecture,
        *,
        activation: Literal["softmax", "sigmoid"] = "softmax",
        precision: Precision = "float32",
        compile_with_xla: bool = False,
    ) -> None:
        self.precision = precision
        self.traces = 0
        self._compiled_shapes: set[tuple[int, int]] = set()
        self._xla = compile_with_xla
        self._dtype = tf.as_dtype(precision)
        self._embed = Embeddings(weights.embeddings, architecture.layer_norm_eps, self._dtype)
        shared = {
            id(layer): EncoderLayer(layer, architecture, self._dtype, all_ask=True) for layer in weights.layers[:-1]
        }
        self._layers = [shared[id(layer)] for layer in weights.layers[:-1]]
        self._reads_mean = weights.reads_mean
        self._last = EncoderLayer(weights.layers[-1], architecture, self._dtype, all_ask=weights.reads_mean)
        self._head = Head(weights.head, self._dtype)
        self._distance = None if weights.means is None else Distance(weights.means)
        self.columns = 2 * len(weights.head.classifier.bias) + (self._distance is not None)
        self._activation = tf.nn.softmax if activation == "softmax" else tf.sigmoid
        grid = tf.TensorSpec([None, None], tf.int32)
        # Nothing in it branches on a tensor: AutoGraph would only take a second to find that.
        self._function = tf.function(
            self._scores, input_signature=[grid, grid, grid, grid], jit_compile=compile_with_xla, autograph=False
        )

    def __call__(self, grid: Grid) -> NDArray[np.float32]:
        """float32[R, S, columns], of each slot; those of slots without a text mean nothing."""
        if self._xla and grid.ids.shape not in self._compiled_shapes:
            self._compiled_shapes.add(grid.ids.shape)
            self.traces += 1
        result: NDArray[np.float32] = self._function(*(tf.constant(part) for part in grid)).numpy()
        return result

    def _scores(self, ids: Tensor, position_ids: Tensor, segment_ids: Tensor, cls_positions: Tensor) -> Tensor:
        """float32[R, S, columns] from int32[R, L] three times and int32[R, S]; see packing.Grid."""
        self.traces += 1
        rows = tf.shape(ids)[0]
        mask = self._mask(segment_ids, segment_ids)  # [R, 1, L, L]
        state = self._embed(tf.reshape(ids, [-1]), tf.reshape(position_ids, [-1]))  # [T, H]
        for layer in self._layers:
            state = layer(state, state, mask, rows)  # [T, H]
        if self._reads_mean:
            read = mean_of_texts(self._last(state, state, mask, rows), segment_ids, tf.shape(cls_positions)[1])
        else:
            read = self._first_tokens(state, segment_ids, cls_positions)
        features = self._head.features(read)  # [R x S, H]
        logits = self._head(features)  # [R x S, labels]
        columns = [self._activation(logits), logits] + ([self._distance(features)] if self._distance else [])
        return tf.reshape(tf.concat(columns, -1), [rows, -1, self.columns])

    def _first_tokens(self, state: Tensor, segment_ids: Tensor, cls_positions: Tensor) -> Tensor:
        """[R x S, H] out of the last layer, which computes nothing but those."""
        rows, length = tf.unstack(tf.shape(segment_ids))
        flat = tf.reshape(cls_positions + tf.range(rows)[:, None] * length, [-1])
        mask = self._mask(tf.gather(segment_ids, cls_positions, batch_dims=1), segment_ids)  # [R, 1, S, L]
        return self._last(state, tf.gather(state, flat), mask, rows)

    def _mask(self, queries: Tensor, keys: Tensor) -> Tensor:
        """[R, 1, queries, keys] to add to the scores: 0 within a text, MASKED between two."""
        different = tf.not_equal(queries[:, :, None], keys[:, None, :])
        return (tf.cast(different, self._dtype) * tf.constant(MASKED, self._dtype))[:, None]
