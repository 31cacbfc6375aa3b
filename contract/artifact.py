"""The model artifact: what training publishes on the volume and workers load.

An artifact is the folder `models/<name>/<version>/`:

    manifest.json         this module's `Manifest`
    weights.safetensors   float32, named and laid out as in Hugging Face's BertForSequenceClassification
    vocab.txt             WordPiece, one token a line, the line number is the id
    report/               the training report, for people

Nothing in it is executable. `models/<name>/CURRENT` is a text file that names the version to serve.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.errors import BadArtifact

SCHEMA: Literal[1] = 1
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
VOCABULARY = "vocab.txt"
REQUIRED_FILES = frozenset({WEIGHTS, VOCABULARY})

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Architecture(Strict):
    """The shape of a BERT encoder (Devlin et al. 2018), in the words of its configuration files."""

    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    max_position_embeddings: int = Field(gt=0)
    type_vocab_size: int = Field(gt=0)
    layer_norm_eps: float = Field(gt=0, default=1e-12)
    activation: Literal["gelu", "gelu_tanh"] = Field(
        default="gelu", description="`gelu_tanh` is what Google's checkpoints were trained with"
    )

    @model_validator(mode="after")
    def heads_divide_hidden(self) -> Architecture:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of {self.num_attention_heads} heads")
        return self


class TokenizerOptions(Strict):
    """How text becomes WordPiece ids; follows the checkpoint that training started from."""

    lowercase: bool
    strip_accents: bool
    handle_chinese_chars: bool = True


class Golden(Strict):
    """A text with the trainer's own answer, so that a worker can prove that it computes the same model."""

    text: str
    probabilities: tuple[float, ...] = Field(description="one per label, float32, after temperature scaling")


class Provenance(Strict):
    created: datetime
    base_model: str
    base_sha256: Digest | None = None
    data_sha256: Digest
    seed: int
    hyperparameters: dict[str, float | int | str | bool | None]
    packages: dict[str, str]
    duration_s: float = Field(ge=0)


class Manifest(Strict):
    """Everything a worker must know to serve a version and everything a person must know to trust it."""

    schema_version: Literal[1] = SCHEMA
    name: Name
    version: Name
    architecture: Architecture
    tokenizer: TokenizerOptions
    labels: tuple[str, ...] = Field(min_length=2)
    max_length: int = Field(ge=3, description="tokens of a text at most, [CLS] and [SEP] included")
    temperature: float = Field(gt=0, default=1.0, description="logits are divided by it before the softmax")
    files: dict[str, Digest] = Field(description="sha256 of every other file of the artifact, by relative path")
    metrics: dict[str, float]
    golden: tuple[Golden, ...] = Field(min_length=1)
    provenance: Provenance

    @model_validator(mode="after")
    def consistent(self) -> Manifest:
        if missing := REQUIRED_FILES - self.files.keys():
            raise ValueError(f"files does not list {', '.join(sorted(missing))}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels repeat")
        if self.max_length > self.architecture.max_position_embeddings:
            raise ValueError(f"max_length {self.max_length} exceeds max_position_embeddings")
        if any(len(golden.probabilities) != len(self.labels) for golden in self.golden):
            raise ValueError("a golden text has another number of probabilities than there are labels")
        return self


def sha256(path: Path) -> str:
    """The file's sha256, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the artifact in `folder`.

    Raises BadArtifact when it is missing, unreadable, or of another schema version.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadArtifact(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole document"
        raise BadArtifact(f"{path}: {where}: {first['msg']}") from error


def verify(folder: Path) -> Manifest:
    """Read the manifest and check the sha256 of every file that it lists. Raises BadArtifact."""
    manifest = read_manifest(folder)
    for relative, expected in manifest.files.items():
        path = folder / relative
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadArtifact(f"{folder / MANIFEST}: files: {relative} lies outside the artifact")
        try:
            found = sha256(path)
        except OSError as error:
            raise BadArtifact(f"{path}: {error.strerror}") from error
        if found != expected:
            raise BadArtifact(f"{path}: sha256 is {found}, the manifest says {expected}")
    return manifest
