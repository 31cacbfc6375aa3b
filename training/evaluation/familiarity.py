"""How far a text is from all that was learnt from: texts of other kinds are further than nearly all of one's own.

The distance is 1 - cosine between what the classifier reads of the text and the nearest of some means, of each label's
training texts. Scores don't tell: a model that knows only its own labels is often sure of one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from contract.artifact import NEAREST_MEAN, UnfamiliarDetector
from training.data.split import Rows
from training.evaluation.linear_head import Floats

FILE = "means.safetensors"
FAMILIAR = 0.99
"""Share of the texts for validation that are to be near enough."""
FEWEST = 50
"""With fewer texts for validation, a share of one in a hundred can't be told."""
MOST_TEXTS, MOST_A_LABEL = 1000, 8
"""Training texts that the means are made of, about; or so many of each label, if that is more."""


@dataclass(frozen=True, kw_only=True)
class Familiarity:
    """The means, the distance from the nearest one that is still familiar, and those of the held-out texts."""

    means: Floats
    """float32[means, hidden], of unit length."""
    above: float
    held: Floats
    """float32[held-out texts]"""

    @property
    def detector(self) -> UnfamiliarDetector:
        """As a manifest has it."""
        return UnfamiliarDetector(method=NEAREST_MEAN, threshold=self.above, file=FILE)

    @property
    def metrics(self) -> Mapping[str, float]:
        return {"unfamiliar_share": float((self.held > self.above).mean())}

    @property
    def reason(self) -> str:
        """What was chosen, and what that is worth on the held-out texts, as a line."""
        return (
            f"unfamiliar above a distance of {self.above:.4f}: {FAMILIAR:.0%} of the validation texts are nearer; "
            f"of the held-out texts {self.metrics['unfamiliar_share']:.1%} are further"
        )


def fit_familiarity(means: Floats, *, near: Floats, held: Floats) -> Familiarity | None:
    """The bound by the texts for validation; None where they are too few.

    near, held: `distances` of the texts for validation, and of those held out.
    """
    if len(near) < FEWEST:
        return None
    return Familiarity(means=means, above=round(float(np.quantile(near, FAMILIAR)), 4), held=held)


def label_means(read: Callable[[Rows], Floats], groups: Sequence[Rows], seed: int) -> Floats:
    """float32[groups, hidden]: the mean of the unit features of some texts of each group, of unit length again.

    read: from rows to their features, float32[rows, hidden]; groups: the rows of each label's texts, none empty.
    """
    generator = np.random.default_rng(seed)
    most = max(MOST_TEXTS // len(groups), MOST_A_LABEL)
    chosen = [generator.permutation(group)[:most] for group in groups]
    rows = np.unique(np.concatenate(chosen))
    features = _unit(read(rows))
    return _unit(np.stack([features[np.searchsorted(rows, each)].mean(axis=0) for each in chosen]))


def distances(features: Floats, means: Floats) -> Floats:
    """float32[texts]: from the nearest mean."""
    nearest: Floats = (1 - (_unit(features) @ means.T).max(axis=1)).astype(np.float32)
    return nearest


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6)
    return unit
