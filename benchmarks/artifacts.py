"""Artifacts to measure with: MiniLM with its real weights, BERT-base with random ones, both with a random classifier.

How fast a model is does not depend on what it has learnt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contract.artifact import VOCABULARY, Architecture
from encoders.families import family_of
from encoders.tensors import classifier_shapes
from encoders.tokenization import read_vocabulary
from harness.artifact import point_current_to, write_artifact
from training.pretrained import minilm

Size = Literal["minilm", "base"]
VERSION = "20260101t000000-benchmark"
MAX_LENGTH = 256
LABELS = tuple(f"label-{number}" for number in range(20))
BERT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
GOLDEN_TEXTS = ("why is my code throwing a null pointer exception", "a loop that i cannot exit")


def write(models: Path, size: Size, version: str = VERSION) -> Path:
    """Write and activate `models/<size>/<version>`; returns its folder."""
    pretrained = minilm.load()
    architecture = pretrained.architecture
    if size == "base":
        architecture = Architecture.model_validate(architecture.model_dump() | BERT_BASE)
    weights = _random_weights(architecture)
    if size == "minilm":
        weights |= {family_of(architecture).prefix + name: tensor for name, tensor in pretrained.tensors.items()}
    folder = write_artifact(
        models,
        name=size,
        version=version,
        architecture=architecture,
        weights=weights,
        vocabulary=list(read_vocabulary(minilm.folder() / VOCABULARY)),
        labels=LABELS,
        max_length=MAX_LENGTH,
        temperature=1.0,
        golden_texts=GOLDEN_TEXTS,
    )
    point_current_to(models, size, version)
    return folder


def _random_weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in classifier_shapes(architecture, len(LABELS)).items():
        if "LayerNorm" in name:
            weights[name] = np.full(shape, float(name.endswith("weight")), np.float32)
        else:
            weights[name] = rng.normal(0, 0.02, shape).astype(np.float32)
    return weights
