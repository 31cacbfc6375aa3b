"""What differs between the families of encoders: names of tensors, and which parts there are.

A layer is the same mathematics in all of them: attention, a sum and a norm, feed-forward, a sum and a norm (Devlin et
al. 2018, https://arxiv.org/abs/1810.04805).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from contract.artifact import Architecture, FamilyName


@dataclass(frozen=True, kw_only=True)
class LayerNames:
    """Where the tensors of one encoder layer lie in it."""

    query: str
    key: str
    value: str
    attended: str
    """The product that joins the heads."""
    attended_norm: str
    inner: str
    outer: str
    outer_norm: str


@dataclass(frozen=True)
class HeadSpec:
    """What lies between the last layer and the probabilities: a dense layer with an activation, if any, and a linear
    one with an output per label."""

    dense: str | None
    activation: Literal["tanh", "relu", "gelu"]
    output: str


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family, as its Hugging Face classes and configuration files have it."""

    name: FamilyName
    model_types: frozenset[str]
    """What `model_type` in a configuration file says."""
    prefix: str
    """Of the encoder's tensors in a classifier."""
    layers: Callable[[Architecture], Sequence[str]]
    """Where each layer lies in the encoder, in the order of their application; one that is shared comes repeatedly."""
    layer: LayerNames
    token_types: bool = True
    projection: str | None = None
    """The product from the embeddings' width to the hidden size, where the architecture has one."""
    always_projects: bool = False
    """Whether there is such a product between equal widths too."""
    positions_after_padding: bool = False
    """Whether positions are counted from the one after the padding token's id."""
    pooler: str | None = None
    """The pretrained dense layer with tanh on the first token."""
    head: HeadSpec | None = None
    """The family's own head, if that is not the pooler and a linear layer."""
    config_names: Mapping[str, str] = field(default_factory=dict)
    """Names that a configuration file has for fields of `Architecture`, where they differ."""
    config_defaults: Mapping[str, Any] = field(default_factory=dict)
    """What a configuration file of this family means by leaving something out."""


def numbered_layers(prefix: str) -> Callable[[Architecture], Sequence[str]]:
    """Layers that each have weights of their own: `prefix` and the number, from 0."""
    return lambda architecture: [f"{prefix}.{number}" for number in range(architecture.num_hidden_layers)]


BERT_LAYER = LayerNames(
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attended="attention.output.dense",
    attended_norm="attention.output.LayerNorm",
    inner="intermediate.dense",
    outer="output.dense",
    outer_norm="output.LayerNorm",
)
"""BERT's names, which RoBERTa and ELECTRA have kept."""
