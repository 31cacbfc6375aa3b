"""ELECTRA (Clark et al. 2020, https://arxiv.org/abs/2003.10555): embeddings may be narrower than the layers."""

from __future__ import annotations

from encoders.families.family import BERT_LAYER, Family, HeadSpec, numbered_layers

ELECTRA = Family(
    name="electra",
    model_types=frozenset({"electra"}),
    prefix="electra.",
    layers=numbered_layers("encoder.layer"),
    layer=BERT_LAYER,
    projection="embeddings_project",
    head=HeadSpec(dense="classifier.dense", activation="gelu", output="classifier.out_proj"),
    config_defaults={"type_vocab_size": 2, "hidden_act": "gelu", "embedding_size": 128},
)
