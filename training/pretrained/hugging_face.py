"""Hugging Face BERT folders: `config.json`, `vocab.txt`, `model.safetensors`, and `tokenizer_config.json` if there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contract.artifact import Architecture, TokenizerOptions, sha256
from encoders.tensors import read_tensors
from training.errors import BadBaseModel
from training.pretrained.base_model import BaseModel, architecture_from, encoder_tensors, tokenizer_for

WEIGHTS = "model.safetensors"
ACTIVATIONS = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh"}


def load(folder: Path, name: str) -> BaseModel:
    """The BERT in `folder`. Raises BadModel, which names the file and what is wrong with it."""
    architecture = architecture_from(_json(folder / "config.json"), ACTIVATIONS, folder / "config.json")
    weights = folder / WEIGHTS
    tensors = {_modern(name): tensor for name, tensor in read_tensors(weights).items()}
    return BaseModel(
        name=name,
        architecture=architecture,
        tokenizer=_tokenizer(folder, architecture),
        vocabulary=folder / "vocab.txt",
        tensors=encoder_tensors(tensors, architecture, weights),
        sha256=sha256(weights),
    )


def _tokenizer(folder: Path, architecture: Architecture) -> TokenizerOptions:
    guessed = tokenizer_for(folder / "vocab.txt", architecture)
    path = folder / "tokenizer_config.json"
    if not path.exists():
        return guessed
    config = _json(path)
    lowercase = config.get("do_lower_case", guessed.lowercase)
    accents = config.get("strip_accents")
    return TokenizerOptions(
        lowercase=lowercase,
        strip_accents=lowercase if accents is None else accents,
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
    )


def _modern(name: str) -> str:
    """Files converted from early releases still call LayerNorm's tensors gamma and beta, as TensorFlow does."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadBaseModel(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise BadBaseModel(f"{path}: not a JSON object")
    return content
