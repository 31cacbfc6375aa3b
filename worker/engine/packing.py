"""Which texts go into the next batch, and where in it: policy without a device.

A batch is a grid of rows of tokens. Texts lie in a row end to end; attention stays within a text, so that a token costs
about the same whether its text is short or long, and next to none is padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture

TOKENS_PER_SLOT = 8
SINGLE_ROWS = (16, 32)
"""Lengths of a row for a lone short text; packing would waste too much of them."""
PACKED_ROWS = (64, 128, 256)

LEAST_CPU_TOKENS, MOST_CPU_TOKENS = 256, 1024
"""Fewer are less efficient, more are hardly more so."""
CPU_FLOPS = 1e11
"""Of a full batch of a large model: some 0.2 s on two cores with bfloat16."""
GPU_TOKENS = 16384


class Shape(NamedTuple):
    """A grid of `rows` x `length` tokens. The device computes all of it, whatever it holds."""

    rows: int
    length: int

    @property
    def tokens(self) -> int:
        return self.rows * self.length

    @property
    def slots(self) -> int:
        """Texts that fit into one row at most."""
        return max(1, self.length // TOKENS_PER_SLOT)


class Place(NamedTuple):
    """Where a text lies: its first token is at `offset` of `row`, and it is the `slot`-th text of that row."""

    text: int
    row: int
    offset: int
    slot: int


@dataclass(frozen=True)
class BatchPlan:
    """The next batch. `places` is in the order of urgency of its texts; what is not in it waits for another batch."""

    shape: Shape
    places: tuple[Place, ...]
    tokens: int
    """Real tokens, of the `shape.tokens` that are computed."""

    @property
    def texts(self) -> list[int]:
        """Indices, into the lengths that were planned for, of the texts in this batch; ascending."""
        return [place.text for place in self.places]


class Grid(NamedTuple):
    """A plan's texts as the encoder reads them."""

    ids: NDArray[np.int32]
    """int32[rows, length], 0 where there is no text."""
    position_ids: NDArray[np.int32]
    """int32[rows, length]: a token's place in its text, from 0."""
    segment_ids: NDArray[np.int32]
    """int32[rows, length]: number of the token's text in its row, from 1; 0 where there is none."""
    cls_positions: NDArray[np.int32]
    """int32[rows, slots]: offset in the row of each text's first token, which is [CLS]; 0 in slots without a text."""


def batch_tokens(architecture: Architecture, gpu: bool) -> int:
    """Tokens of a full batch: as many as make the device efficient, for the next urgent text has to wait for them."""
    if gpu:
        return GPU_TOKENS
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    flops = architecture.num_hidden_layers * (8 * hidden**2 + 4 * hidden * inner)
    most = int(max(LEAST_CPU_TOKENS, min(MOST_CPU_TOKENS, CPU_FLOPS / flops)))
    return 1 << most.bit_length() - 1


def shapes(max_length: int, tokens: int) -> list[Shape]:
    """The shapes that batches of texts of up to `max_length` tokens use, each of `tokens` tokens at most.

    One row of the longest text is always among them, even where it has more tokens than that.
    """
    longest = max(PACKED_ROWS[0], -(-max_length // 16) * 16)
    packed = [length for length in PACKED_ROWS if length < longest] + [longest]
    grids = [Shape(rows, length) for length in packed for rows in _row_counts(tokens // length)]
    return [Shape(1, length) for length in SINGLE_ROWS] + grids


def _row_counts(most: int) -> list[int]:
    """1, 2, 4 ... up to `most`; always 1."""
    return [1 << power for power in range(max(1, most).bit_length())]


def plan(lengths: Sequence[int], available: Sequence[Shape]) -> BatchPlan:
    """The next batch out of texts of these lengths, most urgent first, in one of the shapes `available`.

    The most urgent text is always in it, so no text waits for ever. Then come those that need rows this long, so that
    few long rows hold the long texts, then the others; each group in order of urgency. Of the shapes that can hold the
    first text, the one that does most real tokens for its cost is taken. Raises ValueError when there is no text, or no
    shape can hold the first.
    """
    largest: dict[int, Shape] = {}
    for shape in available:
        if not lengths or shape.length >= lengths[0]:
            largest[shape.length] = max(shape, largest.get(shape.length, shape))
    if not lengths or not largest:
        raise ValueError(f"no shape of {list(available)} holds the first of the lengths {list(lengths[:1])}")
    plans = [_shrunk(pack(lengths, shape, _order(lengths, shape)), available) for shape in largest.values()]
    return max(plans, key=lambda candidate: candidate.tokens / cost(candidate.shape))


def cost(shape: Shape) -> float:
    """Time on the device, in that of one token: the products, attention over the row, and what every batch costs."""
    return shape.tokens * (1 + shape.length / 1500) + 32


def _order(lengths: Sequence[int], shape: Shape) -> list[int]:
    shorter = max((length for length in PACKED_ROWS if length < shape.length), default=0)
    return [0, *sorted(range(1, len(lengths)), key=lambda text: lengths[text] <= shorter)]


def pack(lengths: Sequence[int], shape: Shape, order: Iterable[int]) -> BatchPlan:
    """Fill a batch of this shape with texts in this order; smaller texts further back fill the holes.

    Each text goes where it leaves the least room (best fit).
    """
    free, ends, counts = [shape.length] * shape.rows, [0] * shape.rows, [0] * shape.rows
    places = []
    for text in order:
        length = lengths[text]
        if length > max(free):
            continue
        row = free.index(min(room for room in free if room >= length))
        places.append(Place(text, row, ends[row], counts[row]))
        ends[row] += length
        counts[row] += 1
        free[row] = shape.length - ends[row] if counts[row] < shape.slots else 0
    return BatchPlan(shape, tuple(sorted(places)), sum(ends))


def _shrunk(plan: BatchPlan, available: Sequence[Shape]) -> BatchPlan:
    """The same places in the cheapest shape that holds them."""
    rows = max((place.row for place in plan.places), default=0) + 1
    end = plan.tokens if rows == 1 else plan.shape.length
    slots = len(plan.places) if rows == 1 else plan.shape.slots
    fitting = [shape for shape in available if shape.rows >= rows and shape.length >= end and shape.slots >= slots]
    return BatchPlan(min(fitting, key=cost), plan.places, plan.tokens)


def lay_out(texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> Grid:
    """Copy the ids of the plan's texts (`texts` is indexed as the plan's lengths were) to their places."""
    ids, position_ids, segment_ids = np.zeros((3, plan.shape.rows, plan.shape.length), np.int32)
    cls_positions = np.zeros((plan.shape.rows, plan.shape.slots), np.int32)
    steps = np.arange(plan.shape.length, dtype=np.int32)
    for text, row, offset, slot in plan.places:
        length = len(texts[text])
        span = slice(offset, offset + length)
        ids[row, span] = texts[text]
        position_ids[row, span] = steps[:length]
        segment_ids[row, span] = slot + 1
        cls_positions[row, slot] = offset
    return Grid(ids, position_ids, segment_ids, cls_positions)
