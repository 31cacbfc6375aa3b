"""What a run is made of, besides its data: every choice that changes the model that comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field

from contract.artifact import Strict

Precision = Literal["float32", "bfloat16"]

STEPS = 300
"""Steps that fine-tuning takes at least, within the bounds on epochs: the fewer the texts, the more often each."""
FEWEST_EPOCHS, MOST_EPOCHS = 3, 12


class HyperParameters(Strict):
    """Defaults suit short texts and the bundled MiniLM; for a BERT-base lower `learning_rate` to 2e-5 … 5e-5."""

    max_length: int = Field(default=128, ge=3, le=512, description="tokens of a text at most")
    epochs: int = Field(default=FEWEST_EPOCHS, ge=1, description="passes over the training part; more if texts are few")
    batch_size: int = Field(default=32, ge=1, description="texts of a step, over all devices")
    learning_rate: float = Field(default=1e-4, gt=0, description="peak, reached after the warm-up")
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(default=0.01, ge=0, description="decoupled; not of biases and layer norms")
    clip_norm: float = Field(default=1.0, gt=0, description="bound on the gradient's global norm")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of states and attention weights")
    class_weights: bool = Field(default=False, description="weigh each class by the inverse of its frequency")
    patience: int = Field(default=2, ge=1, description="epochs without a lower validation loss before it stops")
    precision: Precision = Field(
        default="float32", description="of matrix products; bfloat16 where the device is good at it"
    )
    buckets: int = Field(default=4, ge=1, le=16, description="static lengths that batches are padded to")
    validation: float = Field(default=0.1, gt=0, lt=0.5, description="share of the texts that chooses the epoch")
    test: float = Field(default=0.1, gt=0, lt=0.5, description="share of the texts that is scored at the end")
    seed: int = Field(default=1, ge=0, description="of the split, the order, the dropout and the new layer")

    @classmethod
    def chosen(cls, given: Mapping[str, Any], texts: int, precision: Precision) -> Self:
        """What was given, and for the rest the defaults; epochs and precision follow the data and the device.

        `texts` is the size of the whole table, `precision` what the device is good at.
        """
        chosen = cls.model_validate({"precision": precision, **given})
        if "epochs" in given:
            return chosen
        trained = texts * (1 - chosen.validation - chosen.test)
        epochs = math.ceil(STEPS * chosen.batch_size / trained)
        return chosen.model_copy(update={"epochs": min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)})
