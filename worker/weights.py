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

Weights = Mapping[str, NDArray[np.float32]]


def read_weights(path: Path, architecture: Architecture, labels: int) -> Weights:
    """float32 tensors by Hugging Face's names. Raises BadArtifact, which names the tensor that is wrong."""
    try:
        weights = load_file(path)
    except (OSError, SafetensorError) as error:
        raise BadArtifact(f"{path}: {error}") from error
    expected = tensor_shapes(architecture, labels)
    if missing := expected.keys() - weights.keys():
        raise BadArtifact(f"{path}: lacks {', '.join(sorted(missing))}")
    if extra := weights.keys() - expected.keys():
        raise BadArtifact(f"{path}: has {', '.join(sorted(extra))}, which the architecture does not")
    for name, shape in expected.items():
        found = weights[name]
        if found.shape != shape or found.dtype != np.float32:
            raise BadArtifact(f"{path}: {name} is {found.dtype}{list(found.shape)}, expected float32{list(shape)}")
    return weights


def tensor_shapes(architecture: Architecture, labels: int) -> dict[str, tuple[int, ...]]:
    """The tensors of Hugging Face's BertForSequenceClassification; those of linear layers are [out, in]."""
    hidden, inner = architecture.hidden_size, architecture.intermediate_size
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (architecture.vocab_size, hidden),
        "bert.embeddings.position_embeddings.weight": (architecture.max_position_embeddings, hidden),
        "bert.embeddings.token_type_embeddings.weight": (architecture.type_vocab_size, hidden),
    }
    modules: dict[str, tuple[int, ...]] = {"bert.embeddings.LayerNorm": (hidden,)}
    for number in range(architecture.num_hidden_layers):
        layer = f"bert.encoder.layer.{number}"
        modules |= {
            f"{layer}.attention.self.query": (hidden, hidden),
            f"{layer}.attention.self.key": (hidden, hidden),
            f"{layer}.attention.self.value": (hidden, hidden),
            f"{layer}.attention.output.dense": (hidden, hidden),
            f"{layer}.attention.output.LayerNorm": (hidden,),
            f"{layer}.intermediate.dense": (inner, hidden),
            f"{layer}.output.dense": (hidden, inner),
            f"{layer}.output.LayerNorm": (hidden,),
        }
    modules |= {"bert.pooler.dense": (hidden, hidden), "classifier": (labels, hidden)}
    for name, shape in modules.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes
