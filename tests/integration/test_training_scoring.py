"""What is published of a run that has ended, and what it was calibrated by."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from encoders.families import CLASSIFIER
from harness.tiny_artifact import WORDS
from tests.base_models import write_hugging_face
from training.data.corpus import build_corpus
from training.data.encoded import EncodedCorpus, encode
from training.data.recipe import Recipe
from training.data.table import read_table
from training.evaluation.linear_head import fit_head
from training.fit.checkpoint import Epoch, TrainingState
from training.fit.frozen import look
from training.fit.step import starting_weights
from training.hyperparameters import HyperParameters
from training.pretrained import hugging_face
from training.pretrained.base_model import BaseModel
from training.scoring import Finished, score

LABELS = ("java", "python", "sql")
FROZEN_IS_BEST = TrainingState(start=Epoch(epoch=-1, train_loss=None, validation_loss=0.5, validation_accuracy=0.9))
TUNED_IS_BEST = FROZEN_IS_BEST.model_copy(
    update={"history": [Epoch(epoch=0, train_loss=1.0, validation_loss=0.4, validation_accuracy=0.9)]}
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return hugging_face.load(write_hugging_face(tmp_path_factory.mktemp("base")), "tiny")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator, path = random.Random(1), tmp_path_factory.mktemp("table") / "data.csv"
    words = [word for word in WORDS if word not in LABELS and not word.startswith("##")]
    rows = [(generator.choices(words, k=4), generator.choice(LABELS)) for _ in range(120)]
    path.write_text("post,tags\n" + "".join(f"{' '.join([*text, label])},{label}\n" for text, label in rows))
    return path


def _finished(base: BaseModel, table: Path, work: Path, state: TrainingState, **given: Any) -> Finished:
    parameters = HyperParameters.model_validate({"max_length": 32, "precision": "float32", **given})
    recipe = Recipe(name="tiny", base="tiny", corpus=build_corpus(read_table(table), parameters), parameters=parameters)
    data = encode(recipe, base)
    frozen = look(base, data, parameters, work)
    weights = starting_weights(base, frozen.start)
    return Finished(recipe=recipe, base=base, data=data, frozen=frozen, state=state, weights=weights)


def _head(data: EncodedCorpus, run: Finished, *parts: str) -> np.ndarray:
    """The weights of a head on the frozen base that learnt from these parts."""
    rows = np.sort(np.concatenate([getattr(data.parts, part) for part in parts]))
    labels = data.examples.labels[rows]
    return fit_head(run.frozen.features[rows], labels, len(data.classes), run.frozen.start.strength).weight


@pytest.mark.parametrize(
    ("state", "loss"), [(FROZEN_IS_BEST, "cross-entropy"), (TUNED_IS_BEST, "contrastive")], ids=["frozen", "pairs"]
)
def test_a_fitted_head_learns_from_a_small_validation_part_too(
    base: BaseModel, table: Path, tmp_path: Path, state: TrainingState, loss: str
) -> None:
    run = _finished(base, table, tmp_path, state, loss=loss)
    trained = score(run, 0.0, Console(quiet=True))
    published = trained.tensors[f"{CLASSIFIER}.weight"]
    np.testing.assert_allclose(published, _head(run.data, run, "train", "validation"), atol=0.02)
    assert np.abs(published - _head(run.data, run, "train")).max() > 0.1
    assert any("validation texts" in line for line in trained.choices)
    expected = run.data.parts.validation if state.history else run.learnt
    assert trained.calibrated_on in (0, len(expected))


def test_a_head_that_was_trained_by_steps_stays_as_it_is(base: BaseModel, table: Path, tmp_path: Path) -> None:
    run = _finished(base, table, tmp_path, TUNED_IS_BEST)
    trained = score(run, 0.0, Console(quiet=True))
    np.testing.assert_array_equal(trained.tensors[f"{CLASSIFIER}.weight"], run.weights[f"{CLASSIFIER}.weight"])
    assert not any("validation texts" in line for line in trained.choices)
