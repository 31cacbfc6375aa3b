"""AdamW: Adam (Kingma & Ba 2014) with decoupled weight decay (Loshchilov & Hutter 2017), warm-up and linear decay.

Written here for speed on a CPU, where an update is a walk through memory: a dense variable is updated by one fused
kernel, decays that are next to nothing are done several steps at a time, and of an embedding table only the rows that
the batch touched are updated (as in "lazy" Adam), which Keras's optimizer does not do: half of a small BERT is its
embedding table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.bert_compat import tf

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6
DECAY_EVERY = 16
"""Steps between two decays of dense variables, each by as much as those steps together."""


class AdamW:
    """Holds two moments per variable and the number of updates; all of them are in `variables`, to be saved."""

    def __init__(
        self, trained: Mapping[str, Any], weight_decay: float, rates: Mapping[str, float] | None = None
    ) -> None:
        """`rates`: how many times the learning rate the variables of a layer learn at, by its name."""
        self._trained = trained
        self._rates = {name: (rates or {}).get(name.rpartition(".")[0], 1.0) for name in trained}
        self._decay = {name: weight_decay if _decays(variable) else 0.0 for name, variable in trained.items()}
        self._first = {name: _zeros(variable) for name, variable in trained.items()}
        self._second = {name: _zeros(variable) for name, variable in trained.items()}
        self.updates = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def variables(self) -> dict[str, Any]:
        first = {f"first/{name}": slot for name, slot in self._first.items()}
        second = {f"second/{name}": slot for name, slot in self._second.items()}
        return {"updates": self.updates, **first, **second}

    def decay(self, strategy: Any, learning_rate: Any) -> None:
        """Decay the dense variables as much as DECAY_EVERY steps would; outside of the replicas of `strategy`."""
        for name, variable in self._trained.items():
            if self._decay[name] and not _is_table(name):
                share = learning_rate * (DECAY_EVERY * self._rates[name] * self._decay[name])
                strategy.extended.update(variable, _shrink, args=(share,), group=False)

    def apply(self, gradients: Sequence[Any], learning_rate: Any) -> None:
        """Update each variable by its gradient (same order as `trained`); `learning_rate` is a float32 scalar.

        Rows of embedding tables decay here, everything else by `decay`.
        Called by every replica of a distribution strategy, with gradients that were summed over the replicas before.
        """
        tf.distribute.get_replica_context().merge_call(self._apply, args=(gradients, learning_rate))

    def _apply(self, strategy: Any, gradients: Sequence[Any], learning_rate: Any) -> None:
        """Once for all replicas: each updates its own copies."""
        count = tf.cast(self.updates + 1, tf.float32)
        powers = BETA_1**count, BETA_2**count
        for name, gradient in zip(self._trained, gradients, strict=True):
            moments = self._first[name], self._second[name]
            own_rate = learning_rate * self._rates[name]
            rates = own_rate, own_rate * self._decay[name]
            strategy.extended.update(
                self._trained[name], _update, args=(*moments, gradient, powers, rates), group=False
            )
        self.updates.assign_add(1)


def clip(gradients: Sequence[Any], norm: float) -> list[Any]:
    """The gradients scaled down so that their global norm is at most `norm`; left alone where it is."""
    values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in gradients]
    found = tf.linalg.global_norm(values)
    scaled = tf.cond(found > norm, lambda: [value * (norm / found) for value in values], lambda: values)
    return [
        tf.IndexedSlices(value, old.indices, old.dense_shape) if isinstance(old, tf.IndexedSlices) else value
        for old, value in zip(gradients, scaled, strict=True)
    ]


def learning_rate(step: int, steps: int, warmup: float, peak: float) -> float:
    """The rate of `step` (from 0) of `steps`: rises linearly in the first `warmup` share, then falls linearly to 0."""
    rising = int(steps * warmup)
    if step < rising:
        return peak * (step + 1) / rising
    return peak * (steps - step) / max(steps - rising, 1)


def _update(variable: Any, first: Any, second: Any, gradient: Any, powers: Any, rates: Any) -> None:
    """`powers` of the two betas, `rates` of learning and of decay."""
    update = _update_rows if isinstance(gradient, tf.IndexedSlices) else _update_whole
    update(variable, first, second, gradient, powers, rates)


def _update_whole(variable: Any, first: Any, second: Any, gradient: Any, powers: Any, rates: Any) -> None:
    rate, _ = rates
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle, m=first.handle, v=second.handle, beta1_power=powers[0], beta2_power=powers[1],
        lr=rate, beta1=BETA_1, beta2=BETA_2, epsilon=EPSILON, grad=gradient,
    )  # fmt: skip


def _update_rows(variable: Any, first: Any, second: Any, gradient: Any, powers: Any, rates: Any) -> None:
    rate, decay = rates
    rows, place = tf.unique(gradient.indices)
    summed = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
    first_rows = BETA_1 * tf.gather(first, rows) + (1 - BETA_1) * summed
    second_rows = BETA_2 * tf.gather(second, rows) + (1 - BETA_2) * tf.square(summed)
    scaled = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
    step = scaled * first_rows / (tf.sqrt(second_rows) + EPSILON) + decay * tf.gather(variable, rows)
    first.scatter_update(tf.IndexedSlices(first_rows, rows))
    second.scatter_update(tf.IndexedSlices(second_rows, rows))
    variable.scatter_sub(tf.IndexedSlices(step, rows))


def _shrink(variable: Any, share: Any) -> None:
    variable.assign_sub(variable * share)


def _is_table(name: str) -> bool:
    """Whether the gradient is of some rows alone."""
    return name.endswith(("word_embeddings.weight", "position_embeddings.weight"))


def _decays(variable: Any) -> bool:
    """Tables and products do; biases and layer norms, which are vectors, do not."""
    return len(variable.shape) > 1


def _zeros(variable: Any) -> Any:
    return tf.Variable(tf.zeros_like(variable), trainable=False)
