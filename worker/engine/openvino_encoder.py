"""The same classifier over packed rows, computed by OpenVINO: on most CPUs faster than by TensorFlow.

Letters in shapes as in `worker.engine.layers`, and S slots for texts a row. Written as OpenVINO's operations, so that
its plugin for CPUs fuses each layer's parts (https://docs.openvino.ai, opset 13).
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from contract.artifact import Architecture
from encoders.weights import ClassifierWeights
from worker.engine.encoder import Runtime
from worker.engine.openvino_layers import GraphLayer, GraphLinear, Node, embed, features, mask_between, means_of_texts
from worker.engine.packing import Grid
from worker.engine.precision import Precision

HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16"}
"""What OpenVINO calls those that it has on CPUs."""


class OpenVinoEncoder:
    """One model's weights, in one precision, and the two graphs that compute scores from them.

    The layers' numbers are in `precision`. The classifier is a graph of its own, in float32 in every precision, and by
    one thread: several would spin for a while after it, in the way of the next batch's.
    """

    runtime: Runtime = "openvino"

    def __init__(
        self,
        weights: ClassifierWeights,
        architecture: Architecture,
        *,
        activation: Literal["softmax", "sigmoid"] = "softmax",
        precision: Precision = "float32",
        threads: int = 0,
    ) -> None:
        """`threads` compute each batch; 0 for as many as there are cores."""
        self.precision = precision
        self.traces = 0
        self.columns = 2 * len(weights.head.classifier.bias) + (weights.means is not None)
        self._shapes: set[tuple[int, ...]] = set()
        self._encode = _compiled(_encoder_graph(weights, architecture), precision, threads)
        self._score = _compiled(_head_graph(weights, architecture.hidden_size, activation), "float32", 1)

    def __call__(self, grid: Grid) -> NDArray[np.float32]:
        """float32[R, S, columns], of each slot; those of slots without a text mean nothing."""
        if grid.ids.shape not in self._shapes:
            self._shapes.add(grid.ids.shape)
            self.traces += 1
        (read,) = self._encode.infer(list(grid)).values()
        scores: NDArray[np.float32]
        (scores,) = self._score.infer([read]).values()
        return scores


def _encoder_graph(weights: ClassifierWeights, architecture: Architecture) -> ov.Model:
    """int32[R, L] three times and int32[R, S] → what the classifier reads, float32[R, S, H]

    A product has to be the last thing that costs: what follows on the last one is computed in float32, and without it
    that would be every sum and norm of every layer.
    """
    grid = [ops.parameter([-1, -1], ov.Type.i32) for _ in Grid._fields]
    ids, position_ids, segment_ids, cls_positions = grid
    state = embed(weights.embeddings, architecture, ids, position_ids)  # [R, L, H]
    mask = mask_between(segment_ids, segment_ids)
    layers = {id(layer): GraphLayer(layer, architecture) for layer in weights.layers}
    *others, last = (layers[id(layer)] for layer in weights.layers)
    for layer in others:
        state = layer(state, state, mask)
    if weights.reads_mean:
        read = means_of_texts(last(state, state, mask), segment_ids, cls_positions)
    else:
        first = ops.gather(state, cls_positions, 1, batch_dims=1)  # [R, S, H]
        of_first = ops.gather(segment_ids, cls_positions, 1, batch_dims=1)
        read = last(state, first, mask_between(of_first, segment_ids))
    return ov.Model([features(weights.head, read)], grid, "encoder")


def _head_graph(weights: ClassifierWeights, hidden: int, activation: Literal["softmax", "sigmoid"]) -> ov.Model:
    """float32[R, S, H] → float32[R, S, columns]"""
    read = ops.parameter([-1, -1, hidden], ov.Type.f32)
    logits = GraphLinear(weights.head.classifier)(read)
    scores: Node = ops.softmax(logits, 2) if activation == "softmax" else ops.sigmoid(logits)
    columns: list[Any] = [scores, logits]
    if weights.means is not None:
        cosines = ops.matmul(ops.normalize_l2(read, [2], 1e-12, "max"), weights.means, False, True)
        columns.append(ops.subtract(np.float32(1), ops.reduce_max(cosines, 2, keep_dims=True)))
    return ov.Model([ops.concat(columns, 2)], [read], "head")


def _compiled(graph: ov.Model, precision: Precision, threads: int) -> Any:
    """A request to be used by one thread at a time."""
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "PERFORMANCE_HINT": "LATENCY",
        # Workers share cores, and a thread that is bound to one waits for whoever else is there.
        "ENABLE_CPU_PINNING": False,
    }
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    return _core().compile_model(graph, "CPU", options).create_infer_request()


@cache
def _core() -> ov.Core:
    """Alive as long as the process: with AMX, OpenVINO gives the thread that compiles a stack for signals, and frees it
    with its last core, so that the next signal would find none."""
    return ov.Core()
