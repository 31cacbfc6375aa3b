"""The tensors of a model: which there are and in which shape, and the file that holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.numpy import load_file

from contract.artifact import Architecture, Pooling
from contract.errors import BadModel
from encoders.families import family_of, head_of

Shapes = dict[str, tuple[int, ...]]
Weights = Mapping[str, NDArray[np.float32]]

NAMED = 5
"""Tensors that an error names at most."""


def classifier_shapes(architecture: Architecture, labels: int, pooling: Pooling = "pooler") -> Shapes:
    """Every tensor of an artifact, by the names of Hugging Face's sequence classifier of the family.

    Raises BadModel when the family has no such pooling.
    """
    family, hidden = family_of(architecture), architecture.hidden_size
    try:
        head = head_of(family, pooling)
    except ValueError as error:
        raise BadModel(str(error)) from error
    shapes = {family.prefix + name: shape for name, shape in encoder_shapes(architecture).items()}
    if head.dense:
        shapes |= _linear(head.dense, hidden, hidden)
    return shapes | _linear(head.output, labels, hidden)


def encoder_shapes(architecture: Architecture) -> Shapes:
    """The tensors of a pretrained encoder, without prefix and pooler; linear weights are [out, in]."""
    family, hidden, inner = family_of(architecture), architecture.hidden_size, architecture.intermediate_size
    width = architecture.embedding_size or hidden
    shapes: Shapes = {
        "embeddings.word_embeddings.weight": (architecture.vocab_size, width),
        "embeddings.position_embeddings.weight": (architecture.max_position_embeddings, width),
    }
    if family.token_types:
        shapes["embeddings.token_type_embeddings.weight"] = (architecture.type_vocab_size, width)
    shapes |= _layer_norm("embeddings.LayerNorm", width)
    if architecture.embedding_size and family.projection:
        shapes |= _linear(family.projection, hidden, width)
    for layer in dict.fromkeys(family.layers(architecture)):
        names = family.layer
        for part in (names.query, names.key, names.value, names.attended):
            shapes |= _linear(f"{layer}.{part}", hidden, hidden)
        shapes |= _layer_norm(f"{layer}.{names.attended_norm}", hidden)
        shapes |= _linear(f"{layer}.{names.inner}", inner, hidden)
        shapes |= _linear(f"{layer}.{names.outer}", hidden, inner)
        shapes |= _layer_norm(f"{layer}.{names.outer_norm}", hidden)
    return shapes


def pooler_shapes(architecture: Architecture) -> Shapes:
    """The pretrained pooler, without prefix; nothing where the family has none."""
    family, hidden = family_of(architecture), architecture.hidden_size
    return _linear(family.pooler, hidden, hidden) if family.pooler else {}


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Every tensor of a safetensors file, bfloat16 widened to float32. Raises BadModel."""
    try:
        with safe_open(path, framework="numpy") as file:
            dtypes = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 (it is no dict)
        if "BF16" not in dtypes:
            tensors: dict[str, NDArray[Any]] = load_file(path)
            return tensors
        return {name: _widened(stored) for name, stored in deserialize(path.read_bytes())}  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError, KeyError) as error:
        raise BadModel(f"{path}: {error}") from error


def check_tensors(found: Mapping[str, NDArray[Any]], expected: Shapes, source: Path) -> Weights:
    """The `expected` tensors in float32. Raises BadModel, naming what `source` lacks, has too many, or mis-shaped."""
    problems = [f"lacks {name}" for name in expected.keys() - found.keys()]
    problems += [f"has {name}, which its configuration does not" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if found[name].shape != expected[name]:
            problems.append(f"{name} is {list(found[name].shape)}, expected {list(expected[name])}")
        elif not np.issubdtype(found[name].dtype, np.floating):
            problems.append(f"{name} is {found[name].dtype}, expected floating point")
    if problems:
        more = f" and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        raise BadModel(f"{source}: {'; '.join(sorted(problems)[:NAMED])}{more}")
    return {name: found[name].astype(np.float32, copy=False) for name in expected}


_NUMPY_DTYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32}


def _widened(stored: Mapping[str, Any]) -> NDArray[Any]:
    """The tensor of safetensors' own description of it; a bfloat16 is the upper half of a float32."""
    if stored["dtype"] == "BF16":
        halves = np.frombuffer(stored["data"], np.uint16)
        return (halves.astype(np.uint32) << 16).view(np.float32).reshape(stored["shape"])
    return np.frombuffer(stored["data"], _NUMPY_DTYPES[stored["dtype"]]).reshape(stored["shape"])


def _linear(name: str, outputs: int, inputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _layer_norm(name: str, size: int) -> Shapes:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}
