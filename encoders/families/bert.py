"""BERT (Devlin et al. 2018, https://arxiv.org/abs/1810.04805)."""

from __future__ import annotations

from encoders.families.family import BERT_LAYER, Family, numbered_layers

BERT = Family(
    name="bert",
    model_types=frozenset({"bert"}),
    prefix="bert.",
    layers=numbered_layers("encoder.layer"),
    layer=BERT_LAYER,
    pooler="pooler.dense",
    config_defaults={"type_vocab_size": 2, "hidden_act": "gelu"},
)
