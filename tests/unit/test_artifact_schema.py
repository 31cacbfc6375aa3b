from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contract.artifact import MANIFEST, SCHEMA, VOCABULARY, read_manifest, verify
from contract.errors import BadArtifact
from harness.tiny_artifact import write_tiny_artifact

SCHEMA_1 = Path(__file__).parents[1] / "golden" / "artifact_schema_1"


def changed(folder: Path, **changes: Any) -> Path:
    document = json.loads((folder / MANIFEST).read_text()) | changes
    (folder / MANIFEST).write_text(json.dumps(document))
    return folder


def test_schema_1_is_read_as_if_it_were_of_this_schema() -> None:
    manifest = verify(SCHEMA_1)

    assert manifest.schema_version == SCHEMA
    assert manifest.tokenizer.file == VOCABULARY
    assert manifest.tokenizer.wordpiece is not None
    assert (manifest.architecture.family, manifest.pooling, manifest.activation) == ("bert", "pooler", "softmax")


@pytest.mark.parametrize("schema", [SCHEMA + 1, 99])
def test_a_newer_schema_is_named_whatever_else_it_says(tmp_path: Path, schema: int) -> None:
    folder = changed(write_tiny_artifact(tmp_path), schema_version=schema, something="new")

    with pytest.raises(BadArtifact, match=rf"schema {schema}; this release reads up to {SCHEMA}"):
        read_manifest(folder)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", "[" * 100_000, '{"schema_version": "1"}', "\xff"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content, encoding="latin-1")

    with pytest.raises(BadArtifact, match=MANIFEST):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"thresholds": [0.5, 0.5, 0.5]}, "thresholds needs one entry per label of a sigmoid"),
        ({"activation": "sigmoid", "thresholds": [0.5]}, "thresholds needs one entry per label"),
        ({"activation": "sigmoid", "label_calibration": [{"scale": 1, "shift": 0}]}, "label_calibration needs one"),
        ({"labels": ["only"]}, "a single label"),
        ({"max_length": 65}, "max_length 65 exceeds"),
        ({"unfamiliar": {"method": "energy", "threshold": 1, "file": "means.safetensors"}}, "does not list means"),
        ({"pooling": "last"}, "pooling"),
        ({"review_below": 1.5}, "review_below"),
        ({"other": "misc"}, "other is none of the labels"),
        ({"activation": "sigmoid", "other": "java"}, "other is none of the labels"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    folder = changed(write_tiny_artifact(tmp_path), **changes)

    with pytest.raises(BadArtifact, match=complaint):
        read_manifest(folder)


def test_positions_before_a_texts_first_do_not_count(tmp_path: Path) -> None:
    folder = write_tiny_artifact(tmp_path)
    architecture = read_manifest(folder).architecture.model_dump() | {"position_offset": 33}

    with pytest.raises(BadArtifact, match="max_length 32 exceeds"):
        read_manifest(changed(folder, architecture=architecture))
