"""What the frozen base model makes of the texts: the ground for a linear head and for looking at the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.tensors import CLASSIFIER, ENCODER_PREFIX
from training.bert_compat import tf
from training.data.batches import Examples, bucket_lengths
from training.fit.model import Classifier, Pooling, in_batches
from training.pretrained.base_model import BaseModel

POOLINGS: tuple[Pooling, ...] = ("pooler",)
"""Those that an artifact of schema 1 can hold: workers compute no others."""
Features = dict[Pooling, NDArray[np.float32]]


def frozen_features(base: BaseModel, examples: Examples, buckets: int, precision: str) -> Features:
    """float32[texts, hidden] by each way to pool, in one pass."""
    model = Classifier(base.architecture, labels=2, precision=precision, pooling=POOLINGS[-1])
    hidden = base.architecture.hidden_size
    no_head = {f"{CLASSIFIER}.weight": np.zeros((2, hidden), np.float32), f"{CLASSIFIER}.bias": np.zeros(2, np.float32)}
    model.load({ENCODER_PREFIX + name: tensor for name, tensor in base.tensors.items()} | no_head)

    def pooled(ids: Any) -> Any:
        states = model.states(ids)
        return tf.stack([model.pooled(states, ids, pooling) for pooling in POOLINGS], axis=1)

    found = in_batches(pooled, bucket_lengths(examples.lengths, buckets))(examples)
    return {pooling: np.ascontiguousarray(found[:, number]) for number, pooling in enumerate(POOLINGS)}
