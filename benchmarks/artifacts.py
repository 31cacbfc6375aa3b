"""Artifacts to measure with: MiniLM with its real weights, BERT-base with random ones, both with a random classifier.

How fast a model is does not depend on what it has learnt.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from contract.artifact import TOKENIZER, VOCABULARY, Architecture, Pooling, TokenizerOptions
from encoders.families import family_of
from encoders.tensors import classifier_shapes
from encoders.tokenization import read_vocabulary
from harness.artifact import point_current_to, uncased_pipeline, write_artifact
from training.artifact.imported import add_imported
from training.artifact.store import Store
from training.pretrained import minilm
from training.pretrained.classifier import PretrainedClassifier

Size = Literal["minilm", "base"]
VERSION = "20260101t000000-benchmark"
MAX_LENGTH = 256
LABELS = tuple(f"label-{number}" for number in range(20))
BERT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
GOLDEN_TEXTS = ("why is my code throwing a null pointer exception", "a loop that i cannot exit")


def write(models: Path, size: Size, version: str = VERSION) -> Path:
    """Write and activate `models/<size>/<version>`; returns its folder."""
    pretrained = minilm.load()
    architecture = pretrained.architecture
    if size == "base":
        architecture = Architecture.model_validate(architecture.model_dump() | BERT_BASE)
    weights = random_weights(architecture)
    if size == "minilm":
        weights |= {family_of(architecture).prefix + name: tensor for name, tensor in pretrained.tensors.items()}
    folder = write_artifact(
        models,
        name=size,
        version=version,
        architecture=architecture,
        weights=weights,
        vocabulary=list(read_vocabulary(minilm.folder() / VOCABULARY)),
        labels=LABELS,
        max_length=MAX_LENGTH,
        temperature=1.0,
        golden_texts=GOLDEN_TEXTS,
    )
    point_current_to(models, size, version)
    return folder


def write_random(models: Path, architecture: Architecture) -> Path:
    """Add and return the folder of a version of a model of any family, all its weights random."""
    pooling: Pooling = "head" if family_of(architecture).head else "pooler"
    model = PretrainedClassifier(
        name="random weights",
        architecture=architecture,
        pooling=pooling,
        activation="softmax",
        labels=LABELS,
        max_length=MAX_LENGTH,
        pipeline=uncased_pipeline(list(read_vocabulary(minilm.folder() / VOCABULARY))),
        tokenizer=TokenizerOptions(),
        tensors=random_weights(architecture, pooling),
        left_out=(),
        sha256="0" * 64,
    )
    store = Store(models, architecture.family)
    return store.folder / add_imported(model, store).version


def write_folder(folder: Path) -> Path:
    """Fill and return the folder of a Hugging Face classifier: MiniLM with the last layer of `write`."""
    pretrained = minilm.load()
    config = json.loads((minilm.folder() / "config.json").read_text(encoding="utf-8"))
    config |= {"architectures": ["BertForSequenceClassification"]}
    config |= {"id2label": {str(number): label for number, label in enumerate(LABELS)}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    vocabulary = minilm.folder() / VOCABULARY
    shutil.copy(vocabulary, folder / VOCABULARY)
    (folder / TOKENIZER).write_text(uncased_pipeline(list(read_vocabulary(vocabulary))), encoding="utf-8")
    options = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": MAX_LENGTH}
    (folder / "tokenizer_config.json").write_text(json.dumps(options), encoding="utf-8")
    prefix = family_of(pretrained.architecture).prefix
    weights = random_weights(pretrained.architecture)
    weights |= {prefix + name: tensor for name, tensor in pretrained.tensors.items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def random_weights(architecture: Architecture, pooling: Pooling = "pooler") -> dict[str, NDArray[np.float32]]:
    """Every tensor of a classifier with LABELS: of a normal distribution, as BERT's begin."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in classifier_shapes(architecture, len(LABELS), pooling).items():
        if "LayerNorm" in name:
            weights[name] = np.full(shape, float(name.endswith("weight")), np.float32)
        else:
            weights[name] = rng.normal(0, 0.02, shape).astype(np.float32)
    return weights
