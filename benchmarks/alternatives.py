"""Packing against its alternatives, on the same texts, weights and kernels; the table is in docs/engine.md.

`python -m benchmarks.alternatives ARTIFACT PRECISION` prints texts per second, medians over rounds in which they take
turns. Every alternative is spared what the engine is spared: the last layer but for the first tokens.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks import texts
from benchmarks.engine import batches
from contract.artifact import read_manifest
from encoders.artifact_weights import read_classifier
from encoders.tokenization import Ids, read_tokenizer
from worker.engine import packing
from worker.engine.layers import Tensor
from worker.engine.packing import BatchPlan, Grid, Place, Shape
from worker.engine.precision import Precision
from worker.engine.tensorflow_encoder import TensorFlowEncoder
from worker.engine.tensorflow_env import tf

ROUNDS = 5
COUNT = 512
BATCH = 32
TOKENS = 1024

Texts = Sequence[Ids]


class Unpadded(TensorFlowEncoder):
    """Products over the real tokens alone; for attention each text is spread over a row of its own, and back."""

    def _scores(self, ids: Tensor, position_ids: Tensor, segment_ids: Tensor, cls_positions: Tensor) -> Tensor:
        """float32[R, 1, 2 x labels] from int32[1, T] twice, each row's tokens int32[R, L], -1 for none, int32[1, R]."""
        rows, real = tf.shape(segment_ids)[0], segment_ids >= 0
        filled = tf.reshape(tf.where(tf.reshape(real, [-1])), [-1])
        spread = tf.maximum(tf.reshape(segment_ids, [-1]), 0)
        mask = self._mask(tf.ones([rows, 1], tf.int32), tf.cast(real, tf.int32))
        state = self._embed(ids[0], position_ids[0])
        for layer in self._layers:
            attention = layer.attention
            query, key, value = attention.split(tf.gather(attention.together(state), spread), rows, 3)
            attended = attention.mix(query, key, value, mask, [-1, state.shape[-1]])
            state = layer.finish(attention.output(tf.gather(attended, filled)), state)
        attention, cls_state = self._last.attention, tf.gather(state, cls_positions[0])
        assert attention.query  # noqa: S101 only first tokens ask in the last layer
        (query,) = attention.split(attention.query(cls_state), rows, 1)
        key, value = attention.split(tf.gather(attention.together(state), spread), rows, 2)
        attended = attention.mix(query, key, value, mask, tf.shape(cls_state))
        logits = self._head(self._last.finish(attention.output(attended), cls_state))
        return tf.concat([self._activation(logits), logits], -1)[:, None]


def padded(some: Texts, length: int) -> Grid:
    """One text a row."""
    places = tuple(Place(row, row, 0, 0) for row in range(len(some)))
    grid = packing.lay_out(some, BatchPlan(Shape(len(some), length), places, sum(map(len, some))))
    return grid._replace(cls_positions=grid.cls_positions[:, :1])


def unpadded(some: Texts) -> Grid:
    """What `Unpadded` reads."""
    starts = np.cumsum([0, *map(len, some)])
    index = np.full((len(some), max(map(len, some))), -1, np.int32)
    for row, (start, ids) in zip(index, zip(starts, some, strict=False), strict=True):
        row[: len(ids)] = np.arange(start, start + len(ids))
    position_ids = np.concatenate([np.arange(len(ids), dtype=np.int32) for ids in some])
    return Grid(np.concatenate(some)[None], position_ids[None], index, starts[None, :-1].astype(np.int32))


def by_length(some: Texts) -> Iterator[Texts]:
    """Longest first, as many as fit into the token budget once padded to the first."""
    ordered = sorted(some, key=len, reverse=True)
    while ordered:
        fitting = max(1, TOKENS // _rounded(len(ordered[0])))
        yield ordered[:fitting]
        ordered = ordered[fitting:]


def in_turn(some: Texts) -> Iterator[Texts]:
    return (some[start : start + BATCH] for start in range(0, len(some), BATCH))


def _rounded(length: int) -> int:
    return -(-length // 16) * 16


def packed(some: Texts, shapes: Sequence[Shape]) -> Iterator[Grid]:
    for offered, planned in batches([len(ids) for ids in some], partial(packing.plan, available=shapes)):
        yield packing.lay_out([some[index] for index in offered], planned)


def main() -> None:
    artifact, precision = Path(sys.argv[1]), cast("Precision", sys.argv[2])
    manifest = read_manifest(artifact)
    weights = read_classifier(artifact, manifest)
    encoder, spreading = (
        kind(weights, manifest.architecture, precision=precision, compile_with_xla=False)
        for kind in (TensorFlowEncoder, Unpadded)
    )
    shapes = packing.shapes(texts.MAX_LENGTH, TOKENS)
    grids: dict[str, tuple[TensorFlowEncoder, Callable[[Texts], Iterator[Grid]]]] = {
        "padded to 256": (encoder, lambda some: (padded(each, texts.MAX_LENGTH) for each in in_turn(some))),
        "padded to the longest": (encoder, lambda some: (padded(each, max(map(len, each))) for each in in_turn(some))),
        "sorted, padded": (encoder, lambda some: (padded(each, _rounded(len(each[0]))) for each in by_length(some))),
        "sorted, products unpadded": (spreading, lambda some: (unpadded(each) for each in by_length(some))),
        "packed": (encoder, lambda some: packed(some, shapes)),
    }
    tokenizer = read_tokenizer(artifact, manifest.tokenizer, texts.MAX_LENGTH)
    some = [encoded.ids for encoded in tokenizer.encode(texts.mixed(COUNT))]
    rates: dict[str, list[float]] = {name: [] for name in grids}
    for _ in range(1 + ROUNDS):
        for name, (kind, batch) in grids.items():
            started = time.perf_counter()
            for grid in batch(some):
                kind(grid)
            rates[name].append(len(some) / (time.perf_counter() - started))
    for name, each in rates.items():
        print(f"{name:28} {statistics.median(each[1:]):7.1f} texts/s")


if __name__ == "__main__":
    main()
