"""Where fine-tuning starts: what is read of the frozen base model's last layer, and a linear head fitted on that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from contract.artifact import Pooling
from training.data.split import Rows
from training.evaluation.labelling import SINGLE_LABEL, Labelling
from training.evaluation.linear_head import Floats, Labels, LinearHead
from training.fit.features import Features
from training.hyperparameters import HyperParameters

STRENGTHS = (10.0, 100.0)
"""The first suits features as spread as a sentence encoder's, the second those that lie close together."""
CLEARLY = 0.97
"""Share of the first one's loss that the second one has to stay under: a weak penalty starts fine-tuning too sure."""
TRIED_TEXTS, TRIED_A_LABEL, FOLDS = 1000, 10, 2


@dataclass(frozen=True, kw_only=True)
class Start:
    """A model by itself: the frozen encoder with this head. Fine-tuning has to be better than it."""

    pooling: Pooling
    strength: float
    head: LinearHead
    reasons: tuple[str, ...] = ()
    """A line for each choice that was made here."""
    labelling: Labelling = SINGLE_LABEL


def choose_start(
    features: Features, labels: Labels, parameters: HyperParameters, labelling: Labelling = SINGLE_LABEL
) -> Start:
    """Pooling and strength by what a head on half of the texts says of the other half, unless there is no choice.

    `features` and `labels` are those of the training part.
    """
    tried = _tried(labels, parameters.seed)
    reasons: list[str] = []

    def loss(pooling: Pooling, strength: float) -> float:
        own = features[pooling][tried], labels[tried]
        logits = labelling.out_of_fold(*own, strength, FOLDS, parameters.seed)
        return labelling.validation_loss(logits, own[1])

    strength = parameters.head_strength
    losses = {pooling: loss(pooling, strength or STRENGTHS[0]) for pooling in features} if len(features) > 1 else {}
    pooling = min(features, key=lambda each: losses.get(each, 0.0))
    if losses:
        reasons.append(f"pooling {pooling}: log loss of a linear head on the frozen base {_shown(losses)}")
    if strength is None:
        by_strength = {each: loss(pooling, each) for each in STRENGTHS}
        usual, other = STRENGTHS
        strength = other if by_strength[other] < CLEARLY * by_strength[usual] else usual
        reasons.append(f"strength of the linear head {strength:g}: log loss {_shown(by_strength)}")
    head = fitted_head(features[pooling], labels, strength, parameters, labelling)
    return Start(pooling=pooling, strength=strength, head=head, reasons=tuple(reasons), labelling=labelling)


def _tried(labels: Labels, seed: int) -> Rows:
    """int64[texts]: texts drawn at random; of many labels those of some, as a few texts a label tell nothing apart."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(labels))
    classes, most = np.unique(labels), TRIED_TEXTS // TRIED_A_LABEL
    if labels.ndim == 1 and len(classes) > most:
        order = order[np.isin(labels[order], generator.permutation(classes)[:most])]
    return order[:TRIED_TEXTS]


def fitted_head(
    features: Floats, labels: Labels, strength: float, parameters: HyperParameters, labelling: Labelling
) -> LinearHead:
    """A linear head on features, its classes weighed as the run's are."""
    weights = labelling.class_weights(labels) if parameters.class_weights else None
    return labelling.fit_head(features, labels, strength, weights)


def _shown(losses: dict[Pooling, float] | dict[float, float]) -> str:
    return ", ".join(f"{loss:.3f} ({name})" for name, loss in losses.items())
