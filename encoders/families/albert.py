"""ALBERT (Lan et al. 2019, https://arxiv.org/abs/1909.11942): narrow embeddings, and layers that share weights."""

from __future__ import annotations

from collections.abc import Sequence

from contract.artifact import Architecture
from encoders.families.family import Family, LayerNames


def _layers(architecture: Architecture) -> Sequence[str]:
    """Every application of a layer: groups of equal size in order, each applying its own layers in a row."""
    groups = [
        number * architecture.num_hidden_groups // architecture.num_hidden_layers
        for number in range(architecture.num_hidden_layers)
    ]
    return [
        f"encoder.albert_layer_groups.{group}.albert_layers.{inner}"
        for group in groups
        for inner in range(architecture.inner_group_num)
    ]


ALBERT = Family(
    name="albert",
    model_types=frozenset({"albert"}),
    prefix="albert.",
    layers=_layers,
    layer=LayerNames(
        query="attention.query",
        key="attention.key",
        value="attention.value",
        attended="attention.dense",
        attended_norm="attention.LayerNorm",
        inner="ffn",
        outer="ffn_output",
        outer_norm="full_layer_layer_norm",
    ),
    projection="encoder.embedding_hidden_mapping_in",
    always_projects=True,
    pooler="pooler",
    config_defaults={
        "type_vocab_size": 2,
        "hidden_act": "gelu_new",
        "embedding_size": 128,
        "num_hidden_groups": 1,
        "inner_group_num": 1,
    },
)
