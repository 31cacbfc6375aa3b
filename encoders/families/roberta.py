"""RoBERTa (Liu et al. 2019, https://arxiv.org/abs/1907.11692) and its kin XLM-RoBERTa and CamemBERT.

Positions are counted from the one after the padding token's id.
"""

from __future__ import annotations

from encoders.families.family import BERT_LAYER, Family, HeadSpec, numbered_layers

ROBERTA = Family(
    name="roberta",
    model_types=frozenset({"roberta", "xlm-roberta", "camembert"}),
    prefix="roberta.",
    layers=numbered_layers("encoder.layer"),
    layer=BERT_LAYER,
    positions_after_padding=True,
    head=HeadSpec(dense="classifier.dense", activation="tanh", output="classifier.out_proj"),
    config_defaults={"type_vocab_size": 2, "hidden_act": "gelu", "pad_token_id": 1},
)
