"""Models of every family through import and the engine, against the logits that transformers gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.reference import probabilities
from tests.references.folders import MODELS, classifier_folder, logits_of
from tests.references.hard_texts import TEXTS
from training.artifact.imported import add_imported
from training.artifact.store import Store
from training.pretrained.classifier import read_classifier_folder
from worker.engine.model import load

TOLERANCE = 1e-4


@pytest.mark.parametrize("name", MODELS)
def test_packed_beside_others_every_text_gets_the_scores_of_transformers(tmp_path: Path, name: str) -> None:
    folder = classifier_folder(name, tmp_path / name)
    store = Store(tmp_path / "models", "imported")
    manifest = add_imported(read_classifier_folder(folder), store)
    expected = logits_of(name)

    model = load(store.folder / manifest.version, choice="float32")
    encoded = model.tokenizer.encode([TEXTS[number] for number in expected["texts"]])
    found = model.predict([text.ids for text in encoded])

    several = "many_labels" in name or manifest.activation == "sigmoid"
    truth: NDArray[np.floating] = probabilities(np.array(expected["logits"]), "sigmoid" if several else "softmax")
    np.testing.assert_allclose(found, truth, atol=TOLERANCE)
    assert np.ptp(truth, axis=0).max() > 0.05, "the texts hardly differ: this could not fail"
