"""A pretrained encoder in one neutral form, wherever it came from: every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from contract.artifact import Architecture, TokenizerOptions
from encoders.families import family_of
from encoders.tensors import Weights, check_tensors, encoder_shapes, pooler_shapes
from encoders.tokenization import TextTokenizer
from training.errors import BadBaseModel

Tensors = Weights

LEFT_OUT = re.compile(
    r"^(cls|classifier|pre_classifier|dropout|lm_head|vocab_\w+|predictions|sop_classifier|discriminator_predictions"
    r"|generator_\w+|qa_outputs)\.|(^|\.)embeddings\.(position_ids|token_type_ids)$"
)
"""Heads of tasks that a checkpoint was trained on, and buffers of consecutive numbers: not part of the encoder."""
LEFT_OUT_WITHOUT_POOLER = re.compile(rf"{LEFT_OUT.pattern}|^pooler\.")
"""RoBERTa's files have a pooler, which nobody has trained."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """What fine-tuning starts from."""

    name: str
    architecture: Architecture
    pipeline: str
    """Its tokenizer, as a `tokenizer.json`."""
    tokenizer: TokenizerOptions
    tensors: Tensors
    """float32, by the names of Hugging Face's model of the family (`embeddings.word_embeddings.weight`, …); the
    pooler's among them where it has one."""
    sha256: str
    """Digest of the file that the tensors were read from."""

    @property
    def why_frozen(self) -> str:
        """Why its encoder can't be fine-tuned; empty where it can."""
        if is_tuned(self.architecture):
            return ""
        return (
            "bert-for-tf2 trains BERT, and ALBERT with one shared layer; "
            f"of this {self.architecture.family} a linear head is fitted, on what its frozen encoder makes of the texts"
        )

    def text_tokenizer(self, max_length: int) -> TextTokenizer:
        return TextTokenizer(self.pipeline, self.tokenizer, max_length)


def is_tuned(architecture: Architecture) -> bool:
    """Whether bert-for-tf2 has the architecture, so that fine-tuning changes it: BERT, and ALBERT with one layer."""
    one_layer = architecture.num_hidden_groups * architecture.inner_group_num == 1
    return architecture.family == "bert" or (architecture.family == "albert" and one_layer)


def encoder_tensors(tensors: Mapping[str, NDArray[Any]], architecture: Architecture, source: Path) -> Tensors:
    """The encoder's tensors in float32. Raises BadModel, naming what is missing, extra or mis-shaped.

    Names may carry the family's prefix; LEFT_OUT says which other tensors may be there.
    """
    prefix = family_of(architecture).prefix
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    expected, pooler = encoder_shapes(architecture), pooler_shapes(architecture)
    left_out = LEFT_OUT if pooler else LEFT_OUT_WITHOUT_POOLER
    kept = {name: tensor for name, tensor in found.items() if not left_out.match(name)}
    return check_tensors(kept, expected | pooler if pooler.keys() & kept.keys() else expected, source)


def with_padded_rows(architecture: Architecture, tensors: Mapping[str, NDArray[Any]]) -> Architecture:
    """The architecture with as many embeddings as there are: tables are padded for speed, beyond the vocabulary."""
    rows = max((len(each) for name, each in tensors.items() if name.endswith("word_embeddings.weight")), default=0)
    return architecture.model_copy(update={"vocab_size": max(architecture.vocab_size, rows)})


def check_tokenizer(pipeline: str, architecture: Architecture, source: Path) -> None:
    """Raise BadBaseModel when the tokenizer has tokens without an embedding."""
    size = TextTokenizer(pipeline, TokenizerOptions(), architecture.longest_text).vocabulary_size
    if size > architecture.vocab_size:
        raise BadBaseModel(f"{source}: {size} tokens, vocab_size is {architecture.vocab_size}")
