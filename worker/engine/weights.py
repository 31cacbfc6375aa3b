"""The artifact's tensors, checked against the architecture: every one accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from contract.artifact import Architecture
from contract.errors import BadArtifact
from contract.tensors import classifier_shapes

Weights = Mapping[str, NDArray[np.float32]]


def read_weights(path: Path, architecture: Architecture, labels: int) -> Weights:
    """float32 tensors by Hugging Face's names. Raises BadArtifact, which names the tensor that is wrong."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadArtifact(f"{path}: {error}") from error
    expected = classifier_shapes(architecture, labels)
    if missing := expected.keys() - weights.keys():
        raise BadArtifact(f"{path}: lacks {', '.join(sorted(missing))}")
    if extra := weights.keys() - expected.keys():
        raise BadArtifact(f"{path}: has {', '.join(sorted(extra))}, which the architecture does not")
    for name, shape in expected.items():
        found = weights[name]
        if found.shape != shape or found.dtype != np.float32:
            raise BadArtifact(f"{path}: {name} is {found.dtype}{list(found.shape)}, expected float32{list(shape)}")
    return weights
