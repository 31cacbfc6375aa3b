"""A classifier's tensors by what they are for, whatever its family calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling
from encoders.families import family_of, head_of
from encoders.families.family import Family
from encoders.tensors import Weights

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LinearWeights:
    """inputs → inputs · weightᵀ + bias; `weight` float32[out, in], `bias` float32[out]."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class NormWeights:
    """What a layer norm multiplies by and adds: float32[size] each."""

    scale: Floats
    shift: Floats


@dataclass(frozen=True, kw_only=True)
class EmbeddingWeights:
    words: Floats
    """float32[vocabulary, width]"""
    positions: Floats
    """float32[longest text, width]: a token's place in its text, from 0, with the token type of a lone text added."""
    norm: NormWeights
    projection: LinearWeights | None
    """From `width` to the hidden size, where they differ."""


@dataclass(frozen=True, kw_only=True)
class LayerWeights:
    query: LinearWeights
    key: LinearWeights
    value: LinearWeights
    attended: LinearWeights
    attended_norm: NormWeights
    inner: LinearWeights
    outer: LinearWeights
    outer_norm: NormWeights


@dataclass(frozen=True)
class HeadWeights:
    dense: LinearWeights | None
    activation: Literal["tanh", "relu", "gelu"]
    """Of the dense layer."""
    classifier: LinearWeights


@dataclass(frozen=True, kw_only=True)
class ClassifierWeights:
    """Everything that a classifier computes with. Layers that share their weights are one object, several times."""

    embeddings: EmbeddingWeights
    layers: tuple[LayerWeights, ...]
    reads_mean: bool
    """Whether the head reads the mean of a text's tokens, and not its first token."""
    head: HeadWeights
    means: Floats | None = None
    """float32[means, hidden], of unit length: what the classifier read of training texts, label by label."""


def arrange(tensors: Weights, architecture: Architecture, pooling: Pooling) -> ClassifierWeights:
    """The tensors of `classifier_shapes`, arranged. Raises KeyError when one is missing."""
    family = family_of(architecture)
    made = {name: _layer(tensors, family, name) for name in dict.fromkeys(family.layers(architecture))}
    head = head_of(family, pooling)
    return ClassifierWeights(
        embeddings=_embeddings(tensors, architecture, family),
        layers=tuple(made[name] for name in family.layers(architecture)),
        reads_mean=pooling == "mean",
        head=HeadWeights(
            dense=_linear(tensors, head.dense) if head.dense else None,
            activation=head.activation,
            classifier=_linear(tensors, head.output),
        ),
    )


def _embeddings(tensors: Weights, architecture: Architecture, family: Family) -> EmbeddingWeights:
    name = f"{family.prefix}embeddings"
    positions = tensors[f"{name}.position_embeddings.weight"][architecture.position_offset :]
    if family.token_types:
        # Every text is a single segment, so its token type is always 0.
        positions = positions + tensors[f"{name}.token_type_embeddings.weight"][0]
    projects = architecture.embedding_size and family.projection
    return EmbeddingWeights(
        words=tensors[f"{name}.word_embeddings.weight"],
        positions=positions,
        norm=_norm(tensors, f"{name}.LayerNorm"),
        projection=_linear(tensors, f"{family.prefix}{family.projection}") if projects else None,
    )


def _layer(tensors: Weights, family: Family, name: str) -> LayerWeights:
    names, prefix = family.layer, f"{family.prefix}{name}"
    return LayerWeights(
        query=_linear(tensors, f"{prefix}.{names.query}"),
        key=_linear(tensors, f"{prefix}.{names.key}"),
        value=_linear(tensors, f"{prefix}.{names.value}"),
        attended=_linear(tensors, f"{prefix}.{names.attended}"),
        attended_norm=_norm(tensors, f"{prefix}.{names.attended_norm}"),
        inner=_linear(tensors, f"{prefix}.{names.inner}"),
        outer=_linear(tensors, f"{prefix}.{names.outer}"),
        outer_norm=_norm(tensors, f"{prefix}.{names.outer_norm}"),
    )


def _linear(tensors: Weights, name: str) -> LinearWeights:
    return LinearWeights(tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def _norm(tensors: Weights, name: str) -> NormWeights:
    return NormWeights(tensors[f"{name}.weight"], tensors[f"{name}.bias"])
