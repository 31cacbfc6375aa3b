"""Dropout that is a function of a seed, a step and a replica, so that an interrupted run can be continued exactly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from training.bert_compat import tf

Drop = Callable[[Any], Any]

LEVELS = 256
"""The rate is rounded to so many parts: a byte decides about a number, and four come with each draw."""


class Dropout:
    """Drops numbers of one forward pass: each call draws other ones. Build a new one for every pass."""

    def __init__(self, rate: float, seed: int, step: Any) -> None:
        """`step`: int64 scalar, the number of the step."""
        self._dropped = round(rate * LEVELS)
        self._key = tf.constant(seed * 1000, tf.int64)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        self._step = step * 1000 + tf.cast(replica, tf.int64)
        self._draws = 0

    def __call__(self, x: Any) -> Any:
        """`x` with a share of its numbers set to 0 and the others scaled up, so that their sum is expected to stay."""
        if not self._dropped:
            return x
        self._draws += 1
        count = tf.size(x)
        words = tf.random.stateless_uniform(
            [(count + 3) // 4], tf.stack([self._key + self._draws, self._step]), None, None, tf.uint32
        )
        drawn = tf.reshape(tf.reshape(tf.bitcast(words, tf.uint8), [-1])[:count], tf.shape(x))
        kept = tf.cast(drawn >= self._dropped, x.dtype)
        return x * (kept * (LEVELS / (LEVELS - self._dropped)))


def nothing_dropped(x: Any) -> Any:
    """What stands in the place of dropout when a model is not trained."""
    return x
