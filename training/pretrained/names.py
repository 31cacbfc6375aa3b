"""Names and layouts of tensors: TensorFlow's on one side, Hugging Face's on the other."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from contract.artifact import FamilyName

OF_BOTH = (
    (r":0$", ""),
    (r"^module/", ""),
    (r"(_embeddings)(/embeddings)?$", r"\1/weight"),
    (r"/intermediate/(kernel|bias)$", r"/intermediate/dense/\1"),
    (r"/(kernel|gamma|projector)$", "/weight"),
    (r"/beta$", "/bias"),
    (r"/layer_(\d+)/", r"/layer/\1/"),
)
OF_ALBERT = (
    (r"^bert/", "albert/"),
    (r"/embeddings/word_embeddings_projector/", "/encoder/embedding_hidden_mapping_in/"),
    (r"/layer_shared/", "/transformer/group_0/inner_group_0/"),
    (r"/transformer/group_(\d+)/inner_group_(\d+)/", r"/albert_layer_groups/\1/albert_layers/\2/"),
    (r"(\d)/(LayerNorm_1|output/LayerNorm)/", r"\1/full_layer_layer_norm/"),
    (r"(\d)/(attention/output/)?LayerNorm/", r"\1/attention/LayerNorm/"),
    (r"/attention(_1)?/(self|output)/", "/attention/"),
    (r"(\d)/(ffn_1/intermediate/)?output/dense/", r"\1/ffn_output/"),
    (r"(\d)/(ffn_1/)?intermediate/dense/", r"\1/ffn/"),
    (r"/pooler/dense/", "/pooler/"),
)
"""What is replaced by what, in this order: of bert-for-tf2's names, which has one layer, and of Google's."""


def artifact_name(variable: str, family: FamilyName) -> str:
    """Hugging Face's name, in its BERT or ALBERT, of a variable of bert-for-tf2's layer or of a Google checkpoint.

    `bert/encoder/layer_0/intermediate/kernel:0` → `bert.encoder.layer.0.intermediate.dense.weight`
    """
    name = variable
    for pattern, new in (*OF_BOTH, *(OF_ALBERT if family == "albert" else ())):
        name = re.sub(pattern, new, name)
    return name.replace("/", ".")


def transposed(name: str, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tensor of this Hugging Face name in the other layout: linear weights are [out, in] there, [in, out] here."""
    linear = tensor.ndim == 2 and name.endswith(".weight") and "_embeddings." not in name
    return np.ascontiguousarray(tensor.T) if linear else tensor
