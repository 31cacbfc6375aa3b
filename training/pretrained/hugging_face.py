"""Hugging Face folders as base models: `config.json`, weights in safetensors, a tokenizer in any of its forms."""

from __future__ import annotations

from pathlib import Path

from contract.artifact import TokenizerOptions
from training.pretrained.base_model import BaseModel, check_tokenizer, encoder_tensors, with_padded_rows
from training.pretrained.configuration import architecture_in, read_json
from training.pretrained.tokenizer_files import read_tokenizer_files
from training.pretrained.weight_files import read_weights

CONFIG = "config.json"


def load(folder: Path, name: str, tokenizer_file: str | None = None) -> BaseModel:
    """The model in `folder`. Raises BadModel, which names the file and what is wrong with it."""
    config = read_json(folder / CONFIG)
    architecture = architecture_in(config, folder / CONFIG)
    weights = read_weights(folder)
    architecture = with_padded_rows(architecture, weights.tensors)
    tokenizer = read_tokenizer_files(folder, str(config.get("model_type", "bert")), tokenizer_file)
    check_tokenizer(tokenizer.pipeline, architecture, tokenizer.source)
    return BaseModel(
        name=name,
        architecture=architecture,
        pipeline=tokenizer.pipeline,
        tokenizer=TokenizerOptions(truncation=tokenizer.truncation),
        tensors=encoder_tensors(weights.tensors, architecture, weights.source),
        sha256=weights.sha256,
    )
