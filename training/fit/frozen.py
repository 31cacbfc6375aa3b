"""The frozen base model's view of all texts, computed once in a run and kept with its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from training.data.encoded import EncodedCorpus
from training.errors import BadBaseModel
from training.evaluation.labelling import labelling
from training.fit.features import Features, frozen_features, poolings_of
from training.fit.start import Start, choose_start
from training.hyperparameters import HyperParameters
from training.pretrained.base_model import BaseModel
from training.tensor_file import write_tensors

FEATURES = "features.safetensors"


@dataclass(frozen=True)
class Frozen:
    """The start of fine-tuning, and what it was chosen by."""

    features: NDArray[np.float32]
    """float32[texts, hidden] of every text of the corpus, pooled as the start says; the mean over a text's windows."""
    start: Start


def look(base: BaseModel, data: EncodedCorpus, parameters: HyperParameters, work: Path) -> Frozen:
    """Read all texts with the frozen base model, and choose the start by the training part."""
    features = _features(base, data, parameters, work / FEATURES)
    if parameters.pooling:
        if parameters.pooling not in features:
            raise BadBaseModel(f"{base.name} has no {parameters.pooling}: --pooling is one of {', '.join(features)}")
        features = {parameters.pooling: features[parameters.pooling]}
    train = data.parts.train
    known = {pooling: found[train] for pooling, found in features.items()}
    way = labelling(data.several, parameters.label_precision, parameters.accuracy)
    start = choose_start(known, data.labels[train], parameters, way)
    return Frozen(features[start.pooling], start)


def _features(base: BaseModel, data: EncodedCorpus, parameters: HyperParameters, kept: Path) -> Features:
    if not kept.exists():
        rows = frozen_features(base, data.examples, parameters.buckets, parameters.precision)
        found: Features = {pooling: data.examples.pooled(tensor, "mean") for pooling, tensor in rows.items()}
        write_tensors(kept, {str(pooling): tensor for pooling, tensor in found.items()})
        return found
    loaded = load_file(kept)
    return {pooling: loaded[pooling] for pooling in poolings_of(base)}
