"""Dropout that is a function of a seed, a step and a replica, so that an interrupted run can be continued exactly."""

from __future__ import annotations

from typing import Any, Protocol

from training.bert_compat import tf

LEVELS = 256
"""The rate is rounded to so many parts: a byte decides about a number, and four come with each draw."""


class Drop(Protocol):
    """Sets a share of numbers to 0, and scales the others up, so that their sum is expected to stay."""

    @property
    def scale(self) -> float:
        """What the others are multiplied by."""

    def some_of(self, x: Any) -> Any:
        """`x` with a share of its numbers set to 0, the others not yet scaled."""

    def __call__(self, x: Any) -> Any:
        """`x` with a share of its numbers set to 0, the others scaled."""


class Dropout:
    """Drops numbers of one forward pass: each call draws other ones. Build a new one for every pass."""

    def __init__(self, rate: float, seed: int, step: Any) -> None:
        """`step`: int64 scalar, the number of the step."""
        self._dropped = round(rate * LEVELS)
        self._key = tf.constant(seed * 1000, tf.int64)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        self._step = step * 1000 + tf.cast(replica, tf.int64)
        self._draws = 0

    @property
    def scale(self) -> float:
        return LEVELS / (LEVELS - self._dropped)

    def some_of(self, x: Any) -> Any:
        return tf.where(self._kept(x), x, tf.zeros([], x.dtype)) if self._dropped else x

    def __call__(self, x: Any) -> Any:
        return x * (tf.cast(self._kept(x), x.dtype) * self.scale) if self._dropped else x

    def _kept(self, x: Any) -> Any:
        """bool of the shape of `x`: another draw with each call."""
        self._draws += 1
        count = tf.size(x)
        words = tf.random.stateless_uniform(
            [(count + 3) // 4], tf.stack([self._key + self._draws, self._step]), None, None, tf.uint32
        )
        drawn = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], tf.shape(x))
        return drawn >= self._dropped


class NothingDropped:
    """What stands in the place of dropout when a model is not trained."""

    scale = 1.0

    def some_of(self, x: Any) -> Any:
        return x

    def __call__(self, x: Any) -> Any:
        return x


nothing_dropped = NothingDropped()
