"""Models of every family through import and the engine, against the logits that transformers gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.reference import probabilities
from tests.references.folders import MODELS, SAVED_BY_4, SAVED_BY_4_FOLDER, classifier_folder, logits_of
from tests.references.hard_texts import TEXTS
from training.artifact.imported import add_imported
from training.artifact.store import Store
from training.pretrained.classifier import read_classifier_folder
from worker.engine.model import load

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_packed_beside_others_every_text_gets_the_scores_of_transformers(tmp_path: Path, name: str) -> None:
    check_scores(classifier_folder(name, tmp_path / name), logits_of(name), tmp_path)


@pytest.mark.parametrize("name", SAVED_BY_4)
def test_a_folder_as_transformers_4_left_it_is_imported_and_served(tmp_path: Path, name: str) -> None:
    folder = SAVED_BY_4_FOLDER / name
    expected = json.loads((folder / "logits.json").read_bytes())
    assert expected["transformers"].startswith("4.")
    assert (folder / "special_tokens_map.json").exists()
    assert (folder / "tokenizer.json").exists() == (name in ("bert_with_both_tokenizers", "albert"))
    assert (folder / "model.safetensors.index.json").exists() == (name == "bert_sharded")

    check_scores(folder, expected, tmp_path)


def check_scores(folder: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    """Import the folder, load it as a worker does, and compare the scores of its hard texts."""
    store = Store(tmp_path / "models", "imported")
    manifest = add_imported(read_classifier_folder(folder), store)

    model = load(store.folder / manifest.version, choice="float32")
    encoded = model.tokenizer.encode([TEXTS[number] for number in expected["texts"]])
    found = model.predict([text.ids for text in encoded])

    several = json.loads((folder / "config.json").read_bytes()).get("problem_type") == "multi_label_classification"
    truth: NDArray[np.floating] = probabilities(np.array(expected["logits"]), "sigmoid" if several else "softmax")
    np.testing.assert_allclose(found, truth, atol=TOLERANCE)
    assert np.ptp(truth, axis=0).max() > 0.05, "the texts hardly differ: this could not fail"
