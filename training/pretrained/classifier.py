"""A fine-tuned Hugging Face text classifier as it lies in a folder: every tensor, label and file accounted for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from contract.artifact import Architecture, Pooling, TokenizerOptions
from encoders.families import head_of
from encoders.tensors import Weights, check_tensors, classifier_shapes
from encoders.tokenization import TextTokenizer
from training.errors import BadBaseModel
from training.pretrained.base_model import with_padded_rows
from training.pretrained.configuration import Config, architecture_in, family_in, read_json
from training.pretrained.tokenizer_files import StoredTokenizer, read_tokenizer_files
from training.pretrained.weight_files import read_weights

CONFIG = "config.json"
ADAPTER = "adapter_config.json"
SENTENCE_TRANSFORMERS = "config_sentence_transformers.json"
ACTIVATIONS: dict[str | None, Literal["softmax", "sigmoid"]] = {
    None: "softmax",
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
}
ENTAILMENT = {"entailment", "contradiction", "not_entailment", "not entailment"}
"""Labels that only pairs of texts can have."""

LEFT_OUT = re.compile(
    r"^(cls|lm_head|vocab_\w+|predictions|sop_classifier|discriminator_predictions|generator_\w+)\."
    r"|^\w+\.pooler\.|\.embeddings\.(position_ids|token_type_ids)$"
)
"""What a classifier's file may hold and not use: heads of pretraining, a pooler that the family's head does not read,
and buffers of consecutive numbers."""


@dataclass(frozen=True, kw_only=True)
class PretrainedClassifier:
    """A classifier that was fine-tuned elsewhere."""

    name: str
    architecture: Architecture
    pooling: Pooling
    activation: Literal["softmax", "sigmoid"]
    labels: tuple[str, ...]
    max_length: int
    pipeline: str
    """Its tokenizer, as a `tokenizer.json`."""
    tokenizer: TokenizerOptions
    tensors: Weights
    """float32, by the names of Hugging Face's sequence classifier of the family."""
    left_out: tuple[str, ...]
    """Tensors of the folder that a classifier does not read."""
    sha256: str
    """Of its weights."""


def read_classifier_folder(folder: Path) -> PretrainedClassifier:
    """The classifier in `folder`. Raises BadModel, which names the file and what is wrong with it."""
    config = _config(folder)
    source = folder / CONFIG
    family = family_in(config, source)
    _refuse_other_tasks(folder, config)
    architecture = architecture_in(config, source)
    labels = labels_in(config, source)
    pooling: Pooling = "head" if family.head else "pooler"
    weights = read_weights(folder)
    architecture = with_padded_rows(architecture, weights.tensors)
    output = f"{head_of(family, pooling).output}.weight"
    if output not in weights.tensors:
        raise BadBaseModel(f"{weights.source}: lacks {output}: this is no fine-tuned classifier, train one on it first")
    expected = classifier_shapes(architecture, len(labels), pooling)
    left_out = tuple(sorted(name for name in weights.tensors if name not in expected and LEFT_OUT.search(name)))
    tensors = check_tensors(_without(weights.tensors, left_out), expected, weights.source)
    tokenizer = read_tokenizer_files(folder, str(config.get("model_type", "bert")))
    options = TokenizerOptions(special_tokens="tokens", truncation=tokenizer.truncation)
    max_length = min(architecture.longest_text, tokenizer.max_length or architecture.longest_text)
    _check_tokenizer(tokenizer, options, architecture, max_length)
    return PretrainedClassifier(
        name=folder.resolve().name,
        architecture=architecture,
        pooling=pooling,
        activation=ACTIVATIONS[config.get("problem_type")],
        labels=labels,
        max_length=max_length,
        pipeline=tokenizer.pipeline,
        tokenizer=options,
        tensors=tensors,
        left_out=left_out,
        sha256=weights.sha256,
    )


def labels_in(config: Config, source: Path) -> tuple[str, ...]:
    """The labels in the order of their numbers. Raises BadBaseModel when they are missing, repeat or have gaps."""
    named = config.get("id2label")
    if not isinstance(named, dict) or not named:
        raise BadBaseModel(f"{source}: id2label is missing: it says which output is which label")
    try:
        by_number = {int(number): label for number, label in named.items()}
        labels = tuple(by_number[number] for number in range(len(named)))
    except (ValueError, KeyError) as error:
        raise BadBaseModel(f"{source}: id2label does not number its labels from 0 on") from error
    if not all(isinstance(label, str) and label for label in labels):
        raise BadBaseModel(f"{source}: id2label has a label that is no text")
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise BadBaseModel(f"{source}: id2label has {repeated[0]!r} more than once")
    if ENTAILMENT & {label.lower() for label in labels}:
        raise BadBaseModel(f"{source}: labels {', '.join(labels)} are of pairs of texts, which are not served yet")
    return labels


def _config(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise BadBaseModel(f"{folder}: is no folder")
    if not (folder / CONFIG).exists() and (folder / ADAPTER).exists():
        raise BadBaseModel(f"{folder / ADAPTER}: an adapter alone; merge it into its model first (merge_and_unload)")
    return read_json(folder / CONFIG)


def _refuse_other_tasks(folder: Path, config: Config) -> None:
    source = folder / CONFIG
    classes = [name for name in config.get("architectures") or [] if isinstance(name, str)]
    if classes and not any(name.endswith("ForSequenceClassification") for name in classes):
        raise BadBaseModel(f"{source}: architectures is {', '.join(classes)}, not a ...ForSequenceClassification")
    pairs = folder / SENTENCE_TRANSFORMERS
    if (pairs.exists() and read_json(pairs).get("model_type") == "CrossEncoder") or "sentence_transformers" in config:
        raise BadBaseModel(f"{source}: a cross-encoder reads pairs of texts, which are not served yet")
    problem = config.get("problem_type")
    named = config.get("id2label")
    if problem == "regression" or (problem is None and isinstance(named, dict) and len(named) == 1):
        raise BadBaseModel(f"{source}: a regression (problem_type, or a single output) has no labels to serve")
    if problem not in ACTIVATIONS:
        raise BadBaseModel(f"{source}: problem_type {problem!r} is not one of {', '.join(filter(None, ACTIVATIONS))}")


def _without(tensors: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    return {name: tensor for name, tensor in tensors.items() if name not in names}


def _check_tokenizer(
    stored: StoredTokenizer, options: TokenizerOptions, architecture: Architecture, max_length: int
) -> None:
    size = TextTokenizer(stored.pipeline, options, max_length).vocabulary_size
    if size > architecture.vocab_size:
        raise BadBaseModel(f"{stored.source}: {size} tokens, but the model has {architecture.vocab_size} embeddings")
