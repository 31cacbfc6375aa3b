"""A pretrained BERT in one neutral form, wherever it came from: every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from contract.artifact import Architecture, TokenizerOptions
from encoders.tensors import Weights, check_tensors, encoder_shapes
from encoders.tokenization import PADDING, TextTokenizer, read_vocabulary
from training.errors import BadBaseModel

Tensors = Weights

LEFT_OUT = re.compile(r"^(cls\.|classifier\.|embeddings\.position_ids$)")
"""Heads of the task that a checkpoint was trained on, and a buffer of consecutive numbers: not part of the encoder."""


@dataclass(frozen=True)
class BaseModel:
    """What fine-tuning starts from."""

    name: str
    architecture: Architecture
    tokenizer: TokenizerOptions
    vocabulary: Path
    tensors: Tensors
    """float32, by the names of Hugging Face's BertModel (`embeddings.word_embeddings.weight`, …), pooler included."""
    sha256: str
    """Digest of the file that the tensors were read from."""

    def text_tokenizer(self, max_length: int) -> TextTokenizer:
        """Its tokenizer, which cuts texts off after so many tokens."""
        return TextTokenizer(self.vocabulary, self.tokenizer, max_length)


def architecture_from(config: Mapping[str, Any], activations: Mapping[str, str], source: Path) -> Architecture:
    """The architecture in a BERT configuration file; `activations` says what its `hidden_act` names mean here."""
    if (kind := config.get("model_type", "bert")) != "bert":
        raise BadBaseModel(f"{source}: model_type is {kind!r}, only 'bert' can be fine-tuned")
    if (positions := config.get("position_embedding_type", "absolute")) != "absolute":
        raise BadBaseModel(f"{source}: position_embedding_type {positions!r} is not BERT's")
    if (activation := config.get("hidden_act", "gelu")) not in activations:
        raise BadBaseModel(f"{source}: hidden_act {activation!r} is not one of {', '.join(sorted(activations))}")
    fields = {name: config[name] for name in Architecture.model_fields if name in config}
    try:
        return Architecture.model_validate(fields | {"activation": activations[activation]})
    except ValueError as error:
        raise BadBaseModel(f"{source}: {error}") from error


def encoder_tensors(tensors: Mapping[str, NDArray[Any]], architecture: Architecture, source: Path) -> Tensors:
    """The encoder's tensors in float32. Raises BadModel, naming what is missing, extra or mis-shaped.

    Names may carry the prefix `bert.`; LEFT_OUT says which other tensors may be there.
    """
    found = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    kept = {name: tensor for name, tensor in found.items() if not LEFT_OUT.match(name)}
    return check_tensors(kept, encoder_shapes(architecture), source)


def tokenizer_for(vocabulary: Path, architecture: Architecture) -> TokenizerOptions:
    """Options for a checkpoint that states none: cased when a notable share of its tokens has a capital letter.

    Google's checkpoints say it only in their names. Raises BadModel when the vocabulary has another size than the
    embedding table, lacks a token that BERT needs, or does not begin with the padding.
    """
    ids = read_vocabulary(vocabulary)
    if ids.get(PADDING) != 0:
        raise BadBaseModel(f"{vocabulary}: {PADDING} is token {ids.get(PADDING)}, BERT masks token 0")
    if (size := 1 + max(ids.values())) != architecture.vocab_size:
        raise BadBaseModel(f"{vocabulary}: {size} tokens, vocab_size is {architecture.vocab_size}")
    capitals = sum(any("A" <= letter <= "Z" for letter in token) for token in ids if not token.startswith("["))
    uncased = capitals < 0.01 * len(ids)
    return TokenizerOptions(lowercase=uncased, strip_accents=uncased)
