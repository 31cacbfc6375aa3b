"""The model artifact: what training publishes on the volume and workers load.

An artifact is the folder `models/<name>/<version>/`:

    manifest.json         this module's `Manifest`
    weights.safetensors   float32, named and laid out as in Hugging Face's sequence classifier of the model's family
    tokenizer.json        text to ids, as the library `tokenizers` reads it
    means.safetensors     how training texts lie, where the manifest says how to tell texts that are unlike them
    report/               the report, for people

Nothing in it is executable. `models/<name>/CURRENT` is a text file that names the version to serve. Artifacts of
schema 1, which had a `vocab.txt` in place of the tokenizer's file, are read as if they were of this one.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from contract.errors import BadArtifact
from contract.strict import Strict
from contract.windows import LongReading, Windows

SCHEMA: Literal[2] = 2
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
TOKENIZER = "tokenizer.json"
VOCABULARY = "vocab.txt"
NEAREST_MEAN, MEANS = "nearest-mean", "means"
"""The way to tell unfamiliar texts that this release computes, and the tensor that it needs, float32[means, hidden]:
of what the classifier reads of training texts, the mean of each label's, of unit length. The score of a text is its
distance from the nearest one, 1 - cosine."""
USUAL_THRESHOLD = 0.5
"""Of a label whose threshold nobody has chosen."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


FamilyName = Literal["bert", "distilbert", "roberta", "electra", "albert"]
ActivationName = Literal["gelu", "gelu_tanh", "quick_gelu", "relu", "silu", "tanh"]


class Architecture(Strict):
    """The shape of an encoder, in the words of BERT's configuration files (Devlin et al. 2018)."""

    family: FamilyName = Field(default="bert", description="whose names the tensors have")
    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    max_position_embeddings: int = Field(gt=0, description="rows of the table of positions")
    type_vocab_size: int = Field(ge=0, description="0 where there are no token types")
    layer_norm_eps: float = Field(gt=0, default=1e-12)
    activation: ActivationName = Field(
        default="gelu", description="`gelu_tanh` is what Google's checkpoints were trained with"
    )
    position_offset: int = Field(default=0, ge=0, description="row of the table of positions that is a text's first")
    embedding_size: int | None = Field(
        default=None, gt=0, description="width of the embeddings, where a product takes them to `hidden_size`"
    )
    num_hidden_groups: int = Field(default=1, gt=0, description="ALBERT: groups that share the weights of their layers")
    inner_group_num: int = Field(default=1, gt=0, description="ALBERT: layers that a group applies in a row")

    @model_validator(mode="after")
    def is_consistent(self) -> Architecture:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of {self.num_attention_heads} heads")
        if self.position_offset >= self.max_position_embeddings:
            raise ValueError(f"position_offset {self.position_offset} leaves no position")
        return self

    @property
    def longest_text(self) -> int:
        """The most tokens that the model has positions for."""
        return self.max_position_embeddings - self.position_offset


Pooling = Literal["pooler", "first", "mean", "head"]
"""What the classifier reads of the last layer. `pooler`: the first token through the pretrained tanh pooler; `first`:
the first token; `mean`: the mean of all tokens; `head`: the first token through the dense layer of the family's own
head."""


class WordPieceOptions(Strict):
    """How text becomes WordPiece ids of a `vocab.txt`."""

    lowercase: bool
    strip_accents: bool
    handle_chinese_chars: bool = True


class TokenizerOptions(Strict):
    """What the tokenizer's file does not say."""

    special_tokens: Literal["text", "tokens"] = Field(
        default="text", description="what a special token's name inside a text is: `text`, or the token itself"
    )
    truncation: Literal["right", "left"] = Field(
        default="right", description="the end of a long text that the model's makers cut off"
    )
    wordpiece: WordPieceOptions | None = Field(
        default=None, description="schema 1: the tokenizer is BERT's own with `vocab.txt`; otherwise `tokenizer.json`"
    )

    @property
    def file(self) -> str:
        return VOCABULARY if self.wordpiece else TOKENIZER


class LabelCalibration(Strict):
    """Platt scaling of one label (Platt 1999): logit times scale, plus shift."""

    scale: float = Field(gt=0)
    shift: float


class UnfamiliarDetector(Strict):
    """How a text is told that is unlike anything in training."""

    method: Name = Field(description="how the score is computed; a worker that does not know it marks nothing")
    threshold: float = Field(description="texts with a higher score are unfamiliar")
    parameters: dict[str, float] = Field(default={})
    file: str | None = Field(default=None, description="safetensors file of the artifact with what the method needs")


class Golden(Strict):
    """A text with its right answer, so that a worker can prove that it computes the same model."""

    text: str
    probabilities: tuple[float, ...] = Field(description="one per label, float32, calibrated")
    distance: float | None = Field(
        default=None, description="from what was learnt, where the manifest has `unfamiliar`"
    )


class Provenance(Strict):
    """Where a version comes from. What was imported has no data, no seed and no hyper-parameters that are known."""

    origin: Literal["trained", "imported"] = "trained"
    created: datetime
    base_model: str = Field(description="what training started from, or the folder that was imported")
    base_sha256: Digest | None = None
    data_sha256: Digest | None = None
    seed: int | None = None
    hyperparameters: dict[str, float | int | str | bool | None] = Field(default={})
    packages: dict[str, str]
    duration_s: float = Field(ge=0)


class Manifest(Strict):
    """Everything a worker must know to serve a version and everything a person must know to trust it."""

    schema_version: Literal[2] = SCHEMA
    name: Name
    version: Name
    architecture: Architecture
    pooling: Pooling = "pooler"
    inputs: Literal["text", "pair"] = Field(default="text", description="what the model reads: a text, or two")
    tokenizer: TokenizerOptions
    labels: tuple[str, ...] = Field(min_length=1)
    other: str | None = Field(default=None, description="softmax: the label of texts that have none of the others")
    max_length: int = Field(ge=3, description="tokens of a text at most, [CLS] and [SEP] included")
    windows: Windows | None = Field(default=None, description="how longer texts are read; cut off if not given")
    activation: Literal["softmax", "sigmoid"] = Field(
        default="softmax", description="`softmax`: one label a text; `sigmoid`: any number of them"
    )
    temperature: float = Field(gt=0, default=1.0, description="logits are divided by it before the activation")
    label_calibration: tuple[LabelCalibration, ...] = Field(
        default=(), description="sigmoid: one per label, applied after the temperature; none if empty"
    )
    calibrated_on: int | None = Field(
        default=None, ge=0, description="labelled texts that fitted the calibration; 0: scores are as the model gives"
    )
    thresholds: tuple[float, ...] = Field(
        default=(), description="sigmoid: one per label, which holds from this score on; 0.5 if empty"
    )
    review_below: float | None = Field(
        default=None, ge=0, le=1, description="a person should look at answers with a lower score"
    )
    unfamiliar: UnfamiliarDetector | None = None
    files: dict[str, Digest] = Field(description="sha256 of every other file of the artifact, by relative path")
    metrics: dict[str, float]
    golden: tuple[Golden, ...] = Field(min_length=1)
    provenance: Provenance

    @property
    def label_thresholds(self) -> tuple[float, ...] | None:
        """The score from which each label holds; None when each text has exactly one label."""
        if self.activation == "softmax":
            return None
        return self.thresholds or (USUAL_THRESHOLD,) * len(self.labels)

    @property
    def unfamiliar_above(self) -> float | None:
        """The distance from what was learnt above which a text is unfamiliar; None where nothing tells it."""
        known = self.unfamiliar is not None and self.unfamiliar.method == NEAREST_MEAN
        return self.unfamiliar.threshold if self.unfamiliar and known else None

    def windows_of(self, long: LongReading | None) -> Windows | None:
        """The windows of texts that are read as `long` says, or as the model's makers chose; None: they are cut off."""
        found = self.windows or Windows.usual("cut", self.max_length)
        pooling = long or found.pooling
        return None if pooling == "cut" else found.model_copy(update={"pooling": pooling})

    @model_validator(mode="after")
    def consistent(self) -> Manifest:
        needed = {WEIGHTS, self.tokenizer.file}
        if self.unfamiliar and self.unfamiliar.file:
            needed.add(self.unfamiliar.file)
        if missing := needed - self.files.keys():
            raise ValueError(f"files does not list {', '.join(sorted(missing))}")
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("labels repeat")
        if self.activation == "softmax" and len(self.labels) < 2:
            raise ValueError("a single label leaves a softmax nothing to choose")
        if self.other is not None and (self.activation != "softmax" or self.other not in self.labels):
            raise ValueError("other is none of the labels of a softmax")
        if self.max_length > self.architecture.longest_text:
            raise ValueError(f"max_length {self.max_length} exceeds max_position_embeddings")
        if self.windows and not self.windows.stride <= self.windows.length <= self.max_length:
            raise ValueError("windows are longer than max_length, or further apart than they are long")
        if any(len(golden.probabilities) != len(self.labels) for golden in self.golden):
            raise ValueError("a golden text has another number of probabilities than there are labels")
        for field in ("thresholds", "label_calibration"):
            if (count := len(getattr(self, field))) and (self.activation != "sigmoid" or count != len(self.labels)):
                raise ValueError(f"{field} needs one entry per label of a sigmoid")
        return self


def sha256(path: Path) -> str:
    """The file's sha256, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the artifact in `folder`.

    Raises BadArtifact when it is missing, unreadable, or of a schema that is newer than this release.
    """
    path = folder / MANIFEST
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadArtifact(f"{path}: {error.strerror}") from error
    return parse_manifest(content, path)


def parse_manifest(content: bytes, path: object) -> Manifest:
    """The manifest that `path`, which errors name, holds as JSON. Raises BadArtifact."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadArtifact(f"{path}: not JSON: {error}") from error
    try:
        return Manifest.model_validate_json(json.dumps(_of_this_schema(document, path)))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole document"
        raise BadArtifact(f"{path}: {where}: {first['msg']}") from error


def _of_this_schema(document: Any, path: object) -> Any:
    """The manifest's document in the form of this schema. Raises BadArtifact when it is of a newer one."""
    schema = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BadArtifact(f"{path}: is of schema {schema}; this release reads up to {SCHEMA}")
    if schema != 1:
        return document
    return document | {"schema_version": SCHEMA, "tokenizer": {"wordpiece": document.get("tokenizer")}}


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
