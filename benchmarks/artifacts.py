"""Artifacts to measure with: MiniLM with its real weights, BERT-base with random ones, both with a random classifier.

How fast a model is does not depend on what it has learnt.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from contract.artifact import (
    MANIFEST,
    VOCABULARY,
    WEIGHTS,
    Architecture,
    Golden,
    Manifest,
    Provenance,
    TokenizerOptions,
    sha256,
)
from contract.model_store import CURRENT
from encoders.tensors import ENCODER_PREFIX, classifier_shapes
from encoders.tokenization import TextTokenizer
from tests.reference_bert import probabilities
from training.pretrained import minilm

Size = Literal["minilm", "base"]
VERSION = "20260101t000000-benchmark"
MAX_LENGTH = 256
LABELS = tuple(f"label-{number}" for number in range(20))
OPTIONS = TokenizerOptions(lowercase=True, strip_accents=True)
BERT_BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
GOLDEN_TEXTS = ("why is my code throwing a null pointer exception", "a loop that i cannot exit")


def write(models: Path, size: Size, version: str = VERSION) -> Path:
    """Write and activate `models/<size>/<version>`; returns its folder."""
    pretrained = minilm.load()
    architecture = pretrained.architecture
    if size == "base":
        architecture = Architecture.model_validate(architecture.model_dump() | BERT_BASE)
    weights = _random_weights(architecture)
    if size == "minilm":
        weights |= {ENCODER_PREFIX + name: tensor for name, tensor in pretrained.tensors.items()}
    folder = models / size / version
    folder.mkdir(parents=True)
    save_file(weights, folder / WEIGHTS)
    shutil.copyfile(pretrained.vocabulary, folder / VOCABULARY)
    manifest = _manifest(folder, size, version, architecture, weights)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    (models / size / CURRENT).write_text(f"{version}\n", encoding="utf-8")
    return folder


def _random_weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    weights = {}
    for name, shape in classifier_shapes(architecture, len(LABELS)).items():
        if "LayerNorm" in name:
            weights[name] = np.full(shape, float(name.endswith("weight")), np.float32)
        else:
            weights[name] = rng.normal(0, 0.02, shape).astype(np.float32)
    return weights


def _manifest(
    folder: Path, name: str, version: str, architecture: Architecture, weights: dict[str, NDArray[np.float32]]
) -> Manifest:
    tokenizer = TextTokenizer(folder / VOCABULARY, OPTIONS, MAX_LENGTH)
    golden = [
        Golden(text=text, probabilities=tuple(map(float, probabilities(weights, architecture, encoded.ids.tolist()))))
        for text, encoded in zip(GOLDEN_TEXTS, tokenizer.encode(GOLDEN_TEXTS), strict=True)
    ]
    return Manifest(
        name=name,
        version=version,
        architecture=architecture,
        tokenizer=OPTIONS,
        labels=LABELS,
        max_length=MAX_LENGTH,
        files={file: sha256(folder / file) for file in (WEIGHTS, VOCABULARY)},
        metrics={},
        golden=tuple(golden),
        provenance=Provenance(
            created=datetime(2026, 1, 1, tzinfo=UTC),
            base_model=name,
            data_sha256="0" * 64,
            seed=0,
            hyperparameters={},
            packages={},
            duration_s=0,
        ),
    )
