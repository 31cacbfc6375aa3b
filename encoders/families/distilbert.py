"""DistilBERT (Sanh et al. 2019, https://arxiv.org/abs/1910.01108): no token types, no pooler, a head with a ReLU."""

from __future__ import annotations

from encoders.families.family import Family, HeadSpec, LayerNames, numbered_layers

DISTILBERT = Family(
    name="distilbert",
    model_types=frozenset({"distilbert"}),
    prefix="distilbert.",
    layers=numbered_layers("transformer.layer"),
    layer=LayerNames(
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        attended="attention.out_lin",
        attended_norm="sa_layer_norm",
        inner="ffn.lin1",
        outer="ffn.lin2",
        outer_norm="output_layer_norm",
    ),
    token_types=False,
    head=HeadSpec(dense="pre_classifier", activation="relu", output="classifier"),
    config_names={
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
    },
    config_defaults={"layer_norm_eps": 1e-12, "hidden_act": "gelu", "max_position_embeddings": 512},
)
