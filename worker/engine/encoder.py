"""What computes a batch: the one door to TensorFlow and OpenVINO."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.engine.packing import Grid
from worker.engine.precision import Precision

Runtime = Literal["tensorflow", "openvino"]
"""The library that computes."""

MASKED = -1e4
"""Added to the attention scores between two texts. Within float16's range; its exponential is 0."""


class Encoder(Protocol):
    """One model's weights on the device, in one precision, and what computes scores from them."""

    runtime: Runtime
    precision: Precision
    columns: int
    """Of what is computed for a text: each label's probability, each label's logit, and the distance if any."""
    traces: int
    """Times that it met a new shape, or had to compile for one. Constant once every shape was run."""

    def __call__(self, grid: Grid) -> NDArray[np.float32]:
        """float32[rows, slots, columns], of each slot of the grid; those of slots without a text mean nothing."""
