"""Which texts go into the next batch, and where in it: policy without a device.

A batch is a grid of rows of tokens. Texts lie in a row end to end; attention stays within a text, so that a token costs
about the same whether its text is short or long, and next to none is padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
"""Fewer are less efficient, more are hardly more so, unless they are soon computed."""
FAST_CPU_TOKENS, FAST_CPU_S = 2048, 0.1
"""A CPU takes so many, a twentieth more efficient, if they are computed within this time: nobody waits for long."""
CPU_FLOPS = 1e11
"""Of a full batch of a large model: some 0.2 s on two cores with bfloat16."""
GPU_TOKENS = 16384
FULL_ENOUGH = 0.85
"""Share of real tokens from which on no smaller batch is looked for."""


BRIEF_S, BRIEF_SHARE = 0.035, 4
"""A batch is soon over after so many seconds, or after this part of a full one's time if that is longer."""


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


def more_tokens(tokens: int, seconds: float) -> int:
    """Tokens of a full batch on a CPU that takes `seconds` for `tokens`."""
    return FAST_CPU_TOKENS if seconds / tokens * FAST_CPU_TOKENS <= FAST_CPU_S else tokens


def shapes(max_length: int, tokens: int) -> list[Shape]:
    """The shapes that batches of texts of up to `max_length` tokens use, each of `tokens` tokens at most.

    One row of the longest text is always among them, even where it has more tokens than that.
    """
    longest = max(PACKED_ROWS[0], -(-max_length // 16) * 16)
    packed = [length for length in PACKED_ROWS if length < longest] + [longest]
    grids = [Shape(rows, length) for length in packed for rows in _row_counts(tokens // length)]
    return [Shape(1, length) for length in SINGLE_ROWS] + grids


def brief_tokens(seconds: Mapping[Shape, float], full_s: float) -> int:
    """Tokens of the largest batch that is soon over, by the time of each shape and that of a full batch."""
    soon_over = [shape.tokens for shape, each_s in seconds.items() if each_s <= max(full_s / BRIEF_SHARE, BRIEF_S)]
    return max(soon_over, default=min(shape.tokens for shape in seconds))


def _row_counts(most: int) -> list[int]:
    """1, 2, 4 ... up to `most`; always 1."""
    return [1 << power for power in range(max(1, most).bit_length())]


def estimated_cost(shape: Shape) -> float:
    """Time on a device that was not measured, in that of one token: products, attention over the row, what any batch
    costs."""
    return shape.tokens * (1 + shape.length / 1500) + 32


def plan(
    lengths: Sequence[int], available: Sequence[Shape], cost: Callable[[Shape], float] = estimated_cost
) -> BatchPlan:
    """The next batch out of texts of these lengths, most urgent first, in one of the shapes `available`.

    The most urgent text is always in it, so no text waits for ever. Then come those that need rows this long, so that
    few long rows hold the long texts, then the others; each group in order of urgency. Of the shapes that can hold the
    first text, the one that does most real tokens for its `cost` is taken. Raises ValueError when there is no text, or
    no shape can hold the first.
    """
    families: dict[int, list[Shape]] = {}
    for shape in available:
        if not lengths or shape.length >= lengths[0]:
            families.setdefault(shape.length, []).append(shape)
    if not lengths or not families:
        raise ValueError(f"no shape of {list(available)} holds the first of the lengths {list(lengths[:1])}")
    best, most = BatchPlan(available[0], (), 0), 0.0
    promises = {length: max(each.tokens / cost(each) for each in family) for length, family in families.items()}
    for length in sorted(families, key=lambda length: -promises[length]):
        if promises[length] <= most:
            break
        for candidate in _candidates(lengths, families[length], available, cost):
            if candidate.tokens / cost(candidate.shape) > most:
                best, most = candidate, candidate.tokens / cost(candidate.shape)
    if not best.places:
        raise ValueError(f"the lengths {list(lengths[:1])} of texts and the costs of shapes must be more than 0")
    return best


def _candidates(
    lengths: Sequence[int], family: Sequence[Shape], available: Sequence[Shape], cost: Callable[[Shape], float]
) -> Iterator[BatchPlan]:
    """Batches in rows of one length: as many texts as fit, and fewer in fewer rows if those would be fuller."""
    order = _order(lengths, family[0].length)
    for shape in sorted(family, reverse=True):
        found = _shrunk(pack(lengths, shape, order), available, cost)
        yield found
        if found.tokens >= FULL_ENOUGH * found.shape.tokens or found.shape.rows == 1:
            break


def _order(lengths: Sequence[int], row_length: int) -> Sequence[int]:
    """The first text, those that need rows this long, the others; each group in order of urgency."""
    shorter = max((length for length in PACKED_ROWS if length < row_length), default=0)
    if not shorter:
        return range(len(lengths))
    rest = range(1, len(lengths))
    longer = [text for text in rest if lengths[text] > shorter]
    return [0, *longer, *(text for text in rest if lengths[text] <= shorter)]


def pack(lengths: Sequence[int], shape: Shape, order: Iterable[int]) -> BatchPlan:
    """Fill a batch of this shape with texts in this order; smaller texts further back fill the holes.

    Each text goes where it leaves the least room (best fit).
    """
    ends, counts, places, slots = [0] * shape.rows, [0] * shape.rows, [], shape.slots
    # Rows by the room left in them, and the same as bits of a number: its lowest bit from a length on is the best fit.
    by_room: list[list[int]] = [[] for _ in range(shape.length)] + [list(range(shape.rows - 1, -1, -1))]
    rooms = 1 << shape.length
    useless = (1 << min(lengths)) - 1
    for text in order:
        length = lengths[text]
        fitting = rooms >> length
        if not fitting:
            if rooms <= useless:
                break
            continue
        room = length + (fitting & -fitting).bit_length() - 1
        row = by_room[room].pop()
        if not by_room[room]:
            rooms ^= 1 << room
        places.append((text, row, ends[row], counts[row]))
        ends[row] += length
        counts[row] += 1
        if length < room and counts[row] < slots:
            by_room[room - length].append(row)
            rooms |= 1 << room - length
    places.sort()
    return BatchPlan(shape, tuple(map(Place._make, places)), sum(ends))


def _shrunk(plan: BatchPlan, available: Sequence[Shape], cost: Callable[[Shape], float]) -> BatchPlan:
    """Put the plan into the cheapest shape that holds its places."""
    rows = max(place.row for place in plan.places) + 1
    end = plan.tokens if rows == 1 else plan.shape.length
    slots = len(plan.places) if rows == 1 else plan.shape.slots
    fitting = [shape for shape in available if shape.rows >= rows and shape.length >= end and shape.slots >= slots]
    return BatchPlan(min(fitting, key=cost), plan.places, plan.tokens)


def lay_out(texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> Grid:
    """Copy the ids of the plan's texts (`texts` is indexed as the plan's lengths were) to their places."""
    ids, position_ids, segment_ids = np.zeros((3, *plan.shape), np.int32)
    cls_positions = np.zeros((plan.shape.rows, plan.shape.slots), np.int32)
    from_0 = np.arange(plan.shape.length, dtype=np.int32)
    # Text by text: numpy lets other threads run in the middle of what it does to long arrays, for a while each time.
    for text, row, offset, slot in plan.places:
        end = offset + len(texts[text])
        ids[row, offset:end] = texts[text]
        position_ids[row, offset:end] = from_0[: end - offset]
        segment_ids[row, offset:end] = slot + 1
        cls_positions[row, slot] = offset
    return Grid(ids, position_ids, segment_ids, cls_positions)
