"""What the frozen base model makes of the texts: the ground for a linear head and for looking at the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Pooling
from encoders.families import CLASSIFIER, family_of
from encoders.tensors import pooler_shapes
from training.bert_compat import tf
from training.data.batches import Examples, bucket_lengths
from training.fit.model import Classifier, in_batches
from training.pretrained.base_model import BaseModel

Features = dict[Pooling, NDArray[np.float32]]


def frozen_features(base: BaseModel, examples: Examples, buckets: int, precision: str) -> Features:
    """float32[texts, hidden] by each way to pool, in one pass."""
    poolings = poolings_of(base)
    model = Classifier(base.architecture, labels=2, precision=precision, pooling=poolings[-1])
    prefix, hidden = family_of(base.architecture).prefix, base.architecture.hidden_size
    no_head = {f"{CLASSIFIER}.weight": np.zeros((2, hidden), np.float32), f"{CLASSIFIER}.bias": np.zeros(2, np.float32)}
    model.load({prefix + name: tensor for name, tensor in base.tensors.items()} | no_head)

    def pooled(ids: Any) -> Any:
        states = model.states(ids)
        return tf.stack([model.pooled(states, ids, pooling) for pooling in poolings], axis=1)

    found = in_batches(pooled, bucket_lengths(examples.lengths, buckets))(examples)
    return {pooling: np.ascontiguousarray(found[:, number]) for number, pooling in enumerate(poolings)}


def poolings_of(base: BaseModel) -> tuple[Pooling, ...]:
    """The ways to pool that need no layer that nobody trained: many sentence encoders come without a pooler."""
    has_pooler = base.tensors.keys() >= pooler_shapes(base.architecture).keys() != set()
    return ("mean", "first", "pooler") if has_pooler else ("mean", "first")
