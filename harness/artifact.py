"""Writes a whole, valid artifact from given weights, without TensorFlow; its golden texts are the reference's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import BertWordPieceTokenizer

from contract.artifact import (
    MANIFEST,
    TOKENIZER,
    WEIGHTS,
    Architecture,
    Golden,
    Manifest,
    Provenance,
    TokenizerOptions,
    WordPieceOptions,
    sha256,
)
from contract.model_store import CURRENT
from contract.windows import Windows
from encoders.tokenization import wordpiece_pipeline
from harness.long_texts import long_logits
from harness.reference_bert import sigmoid, softmax

Weights = Mapping[str, NDArray[np.float32]]


def write_artifact(
    models: Path,
    *,
    name: str,
    version: str,
    architecture: Architecture,
    weights: Weights,
    vocabulary: Sequence[str],
    labels: Sequence[str],
    max_length: int,
    temperature: float,
    golden_texts: Sequence[str],
    thresholds: Sequence[float] | None = None,
    windows: Windows | None = None,
    seed: int = 0,
) -> Path:
    """Write `models/name/version`, an uncased BERT under Hugging Face's tensor names, and return its folder.

    thresholds: one per label, of a model that gives a text any number of labels; None for one label a text.
    """
    (folder := models / name / version).mkdir(parents=True)
    save_file(dict(weights), folder / WEIGHTS)
    (folder / TOKENIZER).write_text(uncased_pipeline(vocabulary), encoding="utf-8")
    tokenizer = uncased_tokenizer(vocabulary, max_length)
    if windows:
        tokenizer.no_truncation()
    read = windows or Windows.usual("mean", max_length)

    def found(text: str) -> NDArray[np.float64]:
        return long_logits(weights, architecture, ids=tokenizer.encode(text).ids, max_length=max_length, windows=read)

    activation = softmax if thresholds is None else sigmoid
    manifest = Manifest(
        name=name,
        version=version,
        architecture=architecture,
        tokenizer=TokenizerOptions(),
        labels=tuple(labels),
        max_length=max_length,
        windows=windows,
        temperature=temperature,
        activation="softmax" if thresholds is None else "sigmoid",
        thresholds=tuple(thresholds or ()),
        files={file: sha256(folder / file) for file in (WEIGHTS, TOKENIZER)},
        metrics={"accuracy": 0.5},
        golden=tuple(_golden(text, activation(found(text) / temperature)) for text in golden_texts),
        provenance=_provenance(seed),
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
    return folder


def point_current_to(models: Path, name: str, version: str) -> None:
    """Make `version` the one that is served, as publishing does: by an atomic rename."""
    temporary = models / name / f".{CURRENT}.new"
    temporary.write_text(f"{version}\n", encoding="utf-8")
    temporary.replace(models / name / CURRENT)


def uncased_pipeline(vocabulary: Sequence[str]) -> str:
    """Uncased WordPiece as a `tokenizer.json`."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    return wordpiece_pipeline(ids, WordPieceOptions(lowercase=True, strip_accents=True))


def uncased_tokenizer(vocabulary: Sequence[str], max_length: int) -> BertWordPieceTokenizer:
    """WordPiece of Hugging Face's `tokenizers`, truncating to `max_length` tokens."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    made = BertWordPieceTokenizer(ids, lowercase=True, strip_accents=True)
    made.enable_truncation(max_length)
    return made


def _golden(text: str, found: NDArray[np.float64]) -> Golden:
    return Golden(text=text, probabilities=tuple(float(np.float32(probability)) for probability in found))


def _provenance(seed: int) -> Provenance:
    return Provenance(
        created=datetime(2026, 1, 1, tzinfo=UTC),
        base_model="random weights",
        data_sha256="0" * 64,
        seed=seed,
        hyperparameters={},
        packages={},
        duration_s=0.0,
    )
