"""A pretrained BERT in one neutral form, wherever it came from: every tensor accounted for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.artifact import Architecture, TokenizerOptions
from contract.tensors import encoder_shapes
from training.errors import BadBaseModel

Tensors = Mapping[str, NDArray[np.float32]]

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


def check_tensors(tensors: Mapping[str, NDArray[Any]], architecture: Architecture, source: Path) -> Tensors:
    """The encoder's tensors in float32. Raises BadBaseModel, naming what is missing, extra or mis-shaped.

    Names may carry the prefix `bert.`; LEFT_OUT says which other tensors may be there.
    """
    found = {name.removeprefix("bert."): tensor for name, tensor in tensors.items()}
    found = {name: tensor for name, tensor in found.items() if not LEFT_OUT.match(name)}
    expected = encoder_shapes(architecture)
    problems = [f"lacks {name}" for name in expected.keys() - found.keys()]
    problems += [f"has {name}, which its configuration does not" for name in found.keys() - expected.keys()]
    for name in expected.keys() & found.keys():
        if found[name].shape != expected[name]:
            problems.append(f"{name} is {list(found[name].shape)}, expected {list(expected[name])}")
        elif not np.issubdtype(found[name].dtype, np.floating):
            problems.append(f"{name} is {found[name].dtype}, expected floating point")
    if problems:
        raise BadBaseModel(f"{source}: {_first(problems)}")
    return {name: found[name].astype(np.float32) for name in expected}


def tokenizer_for(vocabulary: Path, architecture: Architecture) -> TokenizerOptions:
    """Options for a checkpoint that states none: cased when a notable share of its tokens has a capital letter.

    Google's checkpoints say it only in their names. Raises BadBaseModel when the vocabulary has another size than the
    embedding table.
    """
    tokens = vocabulary_tokens(vocabulary)
    if len(tokens) != architecture.vocab_size:
        raise BadBaseModel(f"{vocabulary}: {len(tokens)} tokens, vocab_size is {architecture.vocab_size}")
    capitals = sum(any("A" <= letter <= "Z" for letter in token) for token in tokens if not token.startswith("["))
    uncased = capitals < 0.01 * len(tokens)
    return TokenizerOptions(lowercase=uncased, strip_accents=uncased)


def vocabulary_tokens(path: Path) -> list[str]:
    """The tokens of a `vocab.txt`, in order of their ids. Raises BadBaseModel."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadBaseModel(f"{path}: {error}") from error
    return [token.removesuffix("\r") for token in text.removesuffix("\n").split("\n")]


def _first(problems: Iterable[str], shown: int = 5) -> str:
    ordered = sorted(problems)
    rest = f" and {len(ordered) - shown} more" if len(ordered) > shown else ""
    return "; ".join(ordered[:shown]) + rest
