"""What a run is made of, besides its data: every choice that changes the model that comes out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field

from contract.strict import Strict
from contract.windows import LongReading

Precision = Literal["float32", "bfloat16"]

STEPS = 150
"""Steps that fine-tuning takes at least, within the bounds on epochs: the fewer the texts, the more often each."""
FEWEST_EPOCHS, MOST_EPOCHS = 3, 8
FEW_A_LABEL, CONTRASTIVE_STEPS = 16, 50
"""Texts a label, on average, up to which pairs of texts teach more than labels, and steps after which they have."""
SHORTEST, LONGEST = 32, 256
"""Bounds on the length that is read of texts unless told otherwise: sentence encoders learnt from no longer ones."""
RATE, RATE_HIDDEN = 1e-4, 384
"""The learning rate of an encoder of this width; it falls with the width, as BERT's authors chose theirs."""


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """What the defaults follow."""

    texts: int
    """Of the whole table."""
    texts_a_label: float
    """On average; infinite where a text may have several labels, so that no two belong together or apart."""
    long_text: int
    """Tokens that 95% of the texts have at most."""
    hidden: int
    """Width of the base model."""
    positions: int
    """Tokens that the base model reads at most."""
    why_frozen: str = ""
    """Why the base model's encoder can't be fine-tuned; empty where it can."""


class HyperParameters(Strict):
    """The choices of a run. Where the default is none, it is made by the data: `chosen` says how."""

    max_length: int = Field(default=128, ge=3, le=512, description="tokens of a text at most; by the data")
    long: LongReading = Field(
        default="cut",
        description="how longer texts are learnt and served: cut off, or in windows, by the mean or max of logits",
    )
    epochs: int = Field(default=FEWEST_EPOCHS, ge=0, description="passes over the training part; more if texts are few")
    batch_size: int = Field(default=32, ge=1, description="texts of a step, over all devices")
    learning_rate: float = Field(default=RATE, gt=0, description="peak, reached after the warm-up; by the base model")
    head_rate: float = Field(default=10.0, gt=0, description="times the learning rate, for the classifying layer")
    head_strength: float | None = Field(
        default=None, gt=0, description="inverse penalty of the linear head on the frozen base; tried on training texts"
    )
    pooling: Literal["mean", "first", "pooler"] | None = Field(
        default=None, description="what the head reads: mean, first, pooler; tried on training texts"
    )
    loss: Literal["cross-entropy", "contrastive"] = Field(
        default="cross-entropy", description="contrastive where texts are few: pairs of a label, then a new linear head"
    )
    warmup: float = Field(default=0.1, ge=0, lt=1, description="share of the steps in which the rate rises")
    weight_decay: float = Field(default=0.01, ge=0, description="decoupled; not of biases and layer norms")
    clip_norm: float = Field(default=1.0, gt=0, description="bound on the gradient's global norm")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of states and attention weights")
    class_weights: bool = Field(default=False, description="weigh each class by the inverse of its frequency")
    patience: int = Field(default=2, ge=1, description="epochs without a lower validation loss before it stops")
    precision: Precision = Field(
        default="float32",
        description="of matrix products; bfloat16 where the device is good at it; a number is --label-precision",
    )
    label_precision: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="with several labels: thresholds for such a precision; the best F1 if not said",
    )
    buckets: int = Field(default=4, ge=1, le=16, description="lengths by which texts are put into batches")
    validation: float = Field(default=0.1, gt=0, lt=0.5, description="share of the texts that chooses the epoch")
    test: float = Field(default=0.1, gt=0, lt=0.5, description="share of the texts that is scored at the end")
    accuracy: float = Field(
        default=0.95, gt=0, lt=1, description="of the answers that are not marked for review by a person"
    )
    seed: int = Field(default=1, ge=0, description="of the split, the order, the dropout and the new layer")

    @classmethod
    def chosen(cls, given: Mapping[str, Any], facts: DataFacts, precision: Precision) -> tuple[Self, list[str]]:
        """What was given, and for the rest what suits the data, the base model and the device; a reason for each.

        `precision` is what the device is good at.
        """
        given = told_apart(given)
        base = cls.model_validate({"precision": precision, **given})
        trained = facts.texts * (1 - base.validation - base.test)
        few = facts.texts_a_label <= FEW_A_LABEL
        loss = given.get("loss", "contrastive" if few else "cross-entropy")
        steps = CONTRASTIVE_STEPS if loss == "contrastive" else STEPS
        made: dict[str, tuple[float | str, str]] = {
            "max_length": (
                min(max(-(-facts.long_text // 8) * 8, SHORTEST), LONGEST, facts.positions),
                f"95% of the texts have at most {facts.long_text} tokens",
            ),
            "epochs": (
                min(max(math.ceil(steps * base.batch_size / trained), FEWEST_EPOCHS), MOST_EPOCHS),
                f"{facts.texts} texts; stops when validation no longer gains",
            ),
            "learning_rate": (
                RATE * min(1.0, RATE_HIDDEN / facts.hidden) * (0.5 if loss == "contrastive" else 1.0),
                f"the base model is {facts.hidden} wide",
            ),
            "loss": (loss, _of_labels(facts)),
        }
        if facts.why_frozen:
            made = {"max_length": made["max_length"], "epochs": (0, facts.why_frozen)}
        taken = {name: choice for name, choice in made.items() if name not in given}
        reasons = [
            f"{name} {value if isinstance(value, str) else f'{value:g}'}: {reason}"
            for name, (value, reason) in taken.items()
        ]
        return base.model_copy(update={name: value for name, (value, _) in taken.items()}), reasons


def _of_labels(facts: DataFacts) -> str:
    """What the loss follows, in words."""
    several = math.isinf(facts.texts_a_label)
    return "a text may have several labels" if several else f"{facts.texts_a_label:.3g} texts a label"


def told_apart(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, with a number for `precision` under the name of the precision of labels, which it is."""
    found = dict(given)
    try:
        float(found.get("precision", ""))
    except ValueError:
        return found
    return {"label_precision": found.pop("precision"), **found}
