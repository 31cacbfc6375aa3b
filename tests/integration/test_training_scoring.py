"""What is published of a run that has ended, and what it was calibrated by."""

from __future__ import annotations

import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from encoders.families import CLASSIFIER
from harness.tiny_artifact import WORDS
from tests.base_models import write_hugging_face
from training.artifact.store import Store
from training.data.corpus import build_corpus
from training.data.encoded import EncodedCorpus, encode
from training.data.recipe import Recipe
from training.data.table import read_table
from training.evaluation.evaluate import HeldOutPredictions
from training.evaluation.linear_head import fit_head
from training.fit.checkpoint import Epoch, TrainingState
from training.fit.frozen import look
from training.fit.step import starting_weights
from training.hyperparameters import HyperParameters
from training.pretrained import hugging_face
from training.pretrained.base_model import BaseModel
from training.run import train
from training.scoring import Finished, score
from training.settings import TrainingSettings
from worker.settings import WorkerSettings

pytestmark = pytest.mark.timeout(500)  # minutes on a machine that has much else to do

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


def test_no_text_is_learnt_from_in_more_windows_than_a_worker_reads(
    base: BaseModel, table: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text(f"{table.read_text(encoding='utf-8')}{'java ' * 3000},java\n", encoding="utf-8")
    parameters = HyperParameters.model_validate({"max_length": 32, "long": "mean"})
    corpus = build_corpus(read_table(data), parameters)

    owners = encode(Recipe(name="tiny", base="tiny", corpus=corpus, parameters=parameters), base).examples.owners

    assert owners is not None
    assert np.bincount(owners).max() == WorkerSettings().max_windows


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


def test_a_head_that_was_trained_by_steps_is_published_as_its_last_step_left_it(
    base: BaseModel, table: Path, tmp_path: Path
) -> None:
    run = _finished(base, table, tmp_path, TUNED_IS_BEST)
    head = f"{CLASSIFIER}.weight"
    moved = {**run.weights, head: run.weights[head] * 3}
    alone, both = (score(each, 0.0, Console(quiet=True)) for each in (run, replace(run, final=moved)))
    np.testing.assert_array_equal(alone.tensors[head], run.weights[head])
    np.testing.assert_array_equal(both.tensors[head], moved[head])
    assert isinstance(both.held, HeldOutPredictions)
    assert isinstance(alone.held, HeldOutPredictions)
    assert both.held.temperature == alone.held.temperature


def test_an_encoder_that_learnt_from_the_validation_part_too_is_published_and_calibrated_by_the_one_that_did_not(
    base: BaseModel, table: Path, tmp_path: Path
) -> None:
    run = _finished(base, table, tmp_path, TUNED_IS_BEST, loss="contrastive")
    moved = {name: tensor * 1.05 if "layer.0" in name else tensor for name, tensor in run.weights.items()}
    assert run.tunes_again
    alone, both = (score(each, 0.0, Console(quiet=True)) for each in (run, replace(run, final=moved)))
    changed = next(name for name in moved if "layer.0" in name)
    np.testing.assert_array_equal(both.tensors[changed], moved[changed])
    assert np.abs(both.tensors[f"{CLASSIFIER}.weight"] - alone.tensors[f"{CLASSIFIER}.weight"]).max() > 1e-3
    assert isinstance(both.held, HeldOutPredictions)
    assert isinstance(alone.held, HeldOutPredictions)
    assert both.held.temperature == alone.held.temperature
    assert any("tuned anew to epoch 1, " in line for line in both.choices)


@pytest.mark.parametrize("loss", ["contrastive", "cross-entropy"])
def test_few_texts_are_all_learnt_from_in_the_end(table: Path, tmp_path: Path, loss: str) -> None:
    given = {"max_length": 32, "precision": "float32", "loss": loss, "epochs": 2, "learning_rate": 1e-3}
    parameters = HyperParameters.model_validate(given)
    corpus = build_corpus(read_table(table), parameters)
    write_hugging_face(tmp_path / "tiny")
    recipe = Recipe(name="few", base=str(tmp_path / "tiny"), corpus=corpus, parameters=parameters)
    said = Console(record=True, quiet=False, file=io.StringIO())
    store = Store(tmp_path / "models", "few")

    manifest = train(recipe, store, TrainingSettings(logs_dir=tmp_path / "logs"), said)

    assert manifest.metrics["accuracy"] > 0.5
    assert said.export_text().count("tuned anew") == 1
    assert not list(store.folder.glob(".training-*/*"))
