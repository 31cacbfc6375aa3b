"""Length-bucketed batches: texts of similar length together, padded to one of a few lengths.

The plan of an epoch is a function of the seed and the epoch alone, so that an interrupted run continues with the very
batches that it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract.windows import LongReading
from encoders.tokenization import Ids
from encoders.windows import pool

NO_TOKEN = -1
"""Stands in a batch where a shorter text has ended: no token's id, for families differ in what they pad with."""
MULTIPLE = 8
"""Bucket lengths are multiples of this: matrix kernels like them."""


@dataclass(frozen=True)
class Examples:
    """Encoded texts and their labels; of a long text a row for each of its windows, all with the text's labels."""

    ids: list[Ids]
    labels: NDArray[np.int32]
    """int32[rows], each one's class; or int32[rows, classes], 1 for each label that a text has."""
    owners: NDArray[np.int64] | None = None
    """int64[rows], ascending: the number of the text that each row is of; each is a text of its own if not given."""

    @classmethod
    def in_windows(cls, texts: Sequence[Sequence[Ids]], labels: NDArray[np.int32]) -> Examples:
        """Of the windows of each text, one at least; `labels` are those of the texts."""
        owners = np.repeat(np.arange(len(texts)), [len(windows) for windows in texts])
        rows = [window for windows in texts for window in windows]
        return cls(rows, labels[owners], None if len(rows) == len(texts) else owners)

    @property
    def starts(self) -> NDArray[np.int64]:
        """int64[texts]: the first row of each text."""
        return np.arange(len(self)) if self.owners is None else np.unique(self.owners, return_index=True)[1]

    @property
    def shares(self) -> NDArray[np.float32]:
        """float32[rows]: what each counts, so that all rows of a text count as one text."""
        if self.owners is None:
            return np.ones(len(self), np.float32)
        return (1 / np.bincount(self.owners)[self.owners]).astype(np.float32)

    @property
    def text_labels(self) -> NDArray[np.int32]:
        """The labels of each text."""
        return self.labels if self.owners is None else self.labels[self.starts]

    def of_texts(self, texts: NDArray[np.int64]) -> Examples:
        """Those of these texts, in this order."""
        if self.owners is None:
            return Examples([self.ids[text] for text in texts], self.labels[texts])
        starts = self.starts
        ends = np.append(starts[1:], len(self))
        windows = [self.ids[starts[text] : ends[text]] for text in texts]
        return Examples.in_windows(windows, self.labels[starts][texts])

    def pooled(self, rows: NDArray[np.float32], long: LongReading) -> NDArray[np.float32]:
        """float32[rows, …] → float32[texts, …]: the mean, or the greatest, of the numbers of each text's rows."""
        if self.owners is None:
            return rows
        return np.stack([pool(own, long) for own in np.split(rows, self.starts[1:])]).astype(np.float32)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.array([len(ids) for ids in self.ids], np.int64)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Planned:
    """Which texts make a batch, and the length that they are padded to."""

    length: int
    texts: NDArray[np.int64]


@dataclass(frozen=True)
class PaddedBatch:
    """`ids` int32[size, length], NO_TOKEN behind a text's last; `labels` int32[size] or int32[size, classes], as
    `Examples` has them; `weights` float32[size]: 0 for rows that only fill the batch."""

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]


def bucket_lengths(lengths: NDArray[np.int64], count: int) -> list[int]:
    """At most `count` multiples of 8 that hold every length with the fewest padded tokens in total."""
    rounded = -(-lengths // MULTIPLE) * MULTIPLE
    steps, texts = np.unique(rounded, return_counts=True)
    shorter = np.concatenate([[0], np.cumsum(texts)])
    # Dynamic programming: best[i] has the tokens and the buckets of the i shortest steps with the buckets so far.
    best: list[tuple[float, list[int]]] = [(0.0, []), *[(np.inf, [])] * len(steps)]
    for _ in range(min(count, len(steps))):
        best = [best[0], *(_with_last_bucket(best, steps, shorter, end) for end in range(1, len(steps) + 1))]
    return best[-1][1]


def _with_last_bucket(
    best: list[tuple[float, list[int]]], steps: NDArray[np.int64], shorter: NDArray[np.int64], end: int
) -> tuple[float, list[int]]:
    """The `end` shortest steps divided best when the last bucket takes those from some `start` on."""
    length = int(steps[end - 1])
    tokens, start = min((best[start][0] + length * float(shorter[end] - shorter[start]), start) for start in range(end))
    return tokens, [*best[start][1], length]


def plan_epoch(
    lengths: NDArray[np.int64], buckets: Sequence[int], batch_size: int, seed: int, epoch: int
) -> list[Planned]:
    """The batches of an epoch: every text once, shuffled. Texts left over in one bucket go to the next longer one,
    so that at most one batch is not full."""
    generator = np.random.default_rng((seed, epoch))
    planned = _plan(lengths, buckets, batch_size, generator.permutation(len(lengths)))
    return [planned[index] for index in generator.permutation(len(planned))]


def plan_pairs(examples: Examples, batch_size: int, seed: int, epoch: int) -> list[Planned]:
    """The batches of an epoch in which every text comes with another one of its label, by itself if it is the only one.

    The first halves of a batch's pairs come before the second ones, so that several devices get whole pairs.
    """
    generator = np.random.default_rng((seed, epoch))
    found = []
    for label in np.unique(examples.labels):
        texts = generator.permutation(np.flatnonzero(examples.labels == label))
        found.append(np.append(texts, texts[:1] if len(texts) % 2 else texts[:0]).reshape(-1, 2))
    pairs = generator.permutation(np.concatenate(found))
    size = max(batch_size // 2, 1)
    lengths = -(-examples.lengths // MULTIPLE) * MULTIPLE
    chunks = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [Planned(int(lengths[chunk].max()), chunk.T.ravel()) for chunk in chunks]


def plan_in_order(lengths: NDArray[np.int64], buckets: Sequence[int], batch_size: int) -> list[Planned]:
    """Every text once, shortest first: for prediction, where order does not matter."""
    return _plan(lengths, buckets, batch_size, np.argsort(lengths, kind="stable"))


def _plan(
    lengths: NDArray[np.int64], buckets: Sequence[int], batch_size: int, order: NDArray[np.int64]
) -> list[Planned]:
    bucket_of = np.searchsorted(np.asarray(buckets), lengths[order])
    left = np.empty(0, np.int64)
    planned: list[Planned] = []
    for number, length in enumerate(buckets):
        waiting = np.concatenate([left, order[bucket_of == number]])
        full = len(waiting) if length == buckets[-1] else len(waiting) - len(waiting) % batch_size
        planned += [Planned(length, waiting[start : start + batch_size]) for start in range(0, full, batch_size)]
        left = waiting[full:]
    return planned


def fill(examples: Examples, planned: Planned, batch_size: int) -> PaddedBatch:
    """The arrays of a planned batch, always `batch_size` rows."""
    ids = np.full((batch_size, planned.length), NO_TOKEN, np.int32)
    labels = np.zeros((batch_size, *examples.labels.shape[1:]), np.int32)
    weights = np.zeros(batch_size, np.float32)
    for row, text in enumerate(planned.texts):
        ids[row, : len(examples.ids[text])] = examples.ids[text]
    labels[: len(planned.texts)] = examples.labels[planned.texts]
    weights[: len(planned.texts)] = 1.0
    return PaddedBatch(ids, labels, weights)
