"""Writing an artifact folder: weights, vocabulary, report, and last the manifest that vouches for all of them."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from contract.artifact import (
    MANIFEST,
    MEANS,
    TOKENIZER,
    WEIGHTS,
    Architecture,
    Golden,
    Manifest,
    Pooling,
    Provenance,
    TokenizerOptions,
    sha256,
)
from contract.windows import Windows
from training.pretrained.base_model import Tensors
from training.tensor_file import write_tensors

if TYPE_CHECKING:
    from training.evaluation.familiarity import Familiarity
    from training.evaluation.labelling import HeldOut

GOLDEN_TEXTS = 8
PACKAGES = (
    "bert-for-tf2",
    "tensorflow",
    "tensorflow-cpu",
    "tf-keras",
    "numpy",
    "tokenizers",
    "safetensors",
    "scikit-learn",
    "cleanlab",
)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model that is ready to be written down."""

    name: str
    pooling: Pooling
    architecture: Architecture
    tokenizer: TokenizerOptions
    pipeline: str
    """The tokenizer, as a `tokenizer.json`."""
    tensors: Tensors
    """float32, by the names of Hugging Face's sequence classifier of the family."""
    labels: tuple[str, ...]
    other: str | None
    max_length: int
    windows: Windows | None
    """That longer texts are read in; they are cut off if there are none."""
    calibrated_on: int
    """Texts that the calibration was fitted on."""
    held: HeldOut
    familiarity: Familiarity | None
    metrics: Mapping[str, float]
    choices: tuple[str, ...]
    """What was chosen by the data, and why, a line each."""
    provenance: Provenance


def write_artifact(trained: Trained, folder: Path) -> Manifest:
    """Complete the artifact in `folder`, where the report lies already, and return its manifest."""
    familiarity = trained.familiarity
    if familiarity:
        write_tensors(folder / str(familiarity.detector.file), {MEANS: familiarity.means})
    files = write_files(trained.tensors, trained.pipeline, folder)
    manifest = Manifest(
        name=trained.name,
        version=version_name(trained.provenance.created, files[WEIGHTS]),
        architecture=trained.architecture,
        pooling=trained.pooling,
        tokenizer=trained.tokenizer,
        labels=trained.labels,
        other=trained.other,
        max_length=trained.max_length,
        windows=trained.windows,
        **trained.held.manifest_fields,
        calibrated_on=trained.calibrated_on,
        unfamiliar=familiarity.detector if familiarity else None,
        files=files,
        metrics=dict(trained.metrics),
        golden=golden_texts(trained.held, familiarity.held.tolist() if familiarity else None),
        provenance=trained.provenance,
    )
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return manifest


def write_files(tensors: Tensors, pipeline: str, folder: Path) -> dict[str, str]:
    """Write weights and tokenizer to `folder`; the sha256 of every file that is there then, by relative path."""
    write_tensors(folder / WEIGHTS, tensors)
    (folder / TOKENIZER).write_text(pipeline, encoding="utf-8")
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def version_name(created: datetime, weights_sha256: str) -> str:
    """UTC time and the first digits of the weights' digest: names sort by time. `20261122t101500-3f2a9c`"""
    return f"{created.astimezone(UTC):%Y%m%dt%H%M%S}-{weights_sha256[:6]}"


def golden_texts(
    held: HeldOut, distances: Sequence[float] | None = None, count: int = GOLDEN_TEXTS
) -> tuple[Golden, ...]:
    """Held-out texts from the shortest to the longest, with the trainer's float32 probabilities and distances."""
    by_length = sorted(range(len(held.texts)), key=lambda index: len(held.texts[index]))
    chosen = {by_length[int(place)] for place in np.linspace(0, len(by_length) - 1, count)}
    probabilities = held.probabilities
    return tuple(
        Golden(
            text=held.texts[index],
            probabilities=tuple(map(float, probabilities[index])),
            distance=distances[index] if distances else None,
        )
        for index in sorted(chosen)
    )


def package_versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
