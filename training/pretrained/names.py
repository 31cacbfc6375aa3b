"""Names and layouts of tensors: TensorFlow's on one side, Hugging Face's on the other."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray


def hugging_face_name(variable: str) -> str:
    """The name in Hugging Face's BERT of a variable of bert-for-tf2's layer or of a Google checkpoint.

    `bert/encoder/layer_0/intermediate/kernel:0` → `bert.encoder.layer.0.intermediate.dense.weight`
    """
    name = variable.removesuffix(":0")
    name = re.sub(r"(_embeddings)(/embeddings)?$", r"\1/weight", name)
    name = re.sub(r"/intermediate/(kernel|bias)$", r"/intermediate/dense/\1", name)
    name = re.sub(r"/(kernel|gamma)$", "/weight", name)
    name = re.sub(r"/beta$", "/bias", name)
    return re.sub(r"/layer_(\d+)/", r"/layer/\1/", name).replace("/", ".")


def transposed(name: str, tensor: NDArray[np.float32]) -> NDArray[np.float32]:
    """The tensor of this Hugging Face name in the other layout: linear weights are [out, in] there, [in, out] here."""
    linear = tensor.ndim == 2 and name.endswith(".weight") and "_embeddings." not in name
    return np.ascontiguousarray(tensor.T) if linear else tensor
