"""`train --base FOLDER` for every family: BERT and ALBERT are fine-tuned, the others get a head; all are served."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

from contract.artifact import WEIGHTS, Manifest, verify
from contract.model_store import ModelStore
from encoders import reference
from encoders.families import family_of
from encoders.weights import arrange
from tests.base_models import write_google_albert
from tests.references.folders import MODELS, classifier_folder
from tests.references.hard_texts import TEXTS
from tests.served_as_trained import check_served
from training.__main__ import main
from training.cli import app
from training.data.batches import Examples
from training.fit.features import frozen_features
from training.pretrained.base_model import BaseModel
from training.pretrained.base_models import load_base_model

pytestmark = pytest.mark.timeout(600)

FROZEN = ("distilbert", "roberta", "camembert", "electra_narrow", "albert_groups")
OWN_WORDS = {
    "refund": ["undo", "last", "commit"],
    "delivery": ["null", "pointer", "value"],
    "praise": ["deploy", "failed", "again"],
}
COMMON_WORDS = ["How", "do", "I", "my", "don't", "stop", "full", "what", "where", "quoted", "text", "here"]


def _head() -> dict[str, np.ndarray]:
    return {"classifier.weight": np.zeros((2, 16), np.float32), "classifier.bias": np.zeros(2, np.float32)}


def _reference_features(base: BaseModel, ids: np.ndarray) -> np.ndarray:
    prefix = family_of(base.architecture).prefix
    tensors = {prefix + name: tensor for name, tensor in base.tensors.items()} | _head()
    found: np.ndarray = reference.features(arrange(tensors, base.architecture, "mean"), base.architecture, ids)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_training_computes_every_family_as_the_reference_does_also_beside_longer_texts(
    tmp_path: Path, name: str
) -> None:
    base = load_base_model(str(classifier_folder(name, tmp_path / name)), tmp_path)
    encoded = base.text_tokenizer(64).encode(TEXTS[::13])

    examples = Examples([text.ids for text in encoded], np.zeros(len(encoded), np.int32))
    found = frozen_features(base, examples, buckets=2, precision="float32")["mean"]

    expected = [_reference_features(base, text.ids) for text in encoded]
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A volume, and texts whose words tell their label."""
    monkeypatch.setenv("RETORT_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("RETORT_LOGS_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("COLUMNS", "200")
    generator = random.Random(1)
    with (tmp_path / "data.csv").open("w") as file:
        print("text,label", file=file)
        for _ in range(400):
            label = generator.choice(list(OWN_WORDS))
            words = generator.choices(COMMON_WORDS, k=generator.randrange(1, 7)) + generator.choices(
                OWN_WORDS[label], k=3
            )
            print(f"{' '.join(generator.sample(words, len(words)))},{label}", file=file)
    return tmp_path


def _train(folder: Path, base: Path, name: str, *more: str) -> tuple[str, Manifest, Path]:
    options = ["--max-length", "32", "--buckets", "1", "--precision", "float32", "--force"]
    data = ["--data", str(folder / "data.csv"), "--base", str(base), "--name", name]
    done = CliRunner().invoke(app, ["train", *data, *options, *more])
    assert done.exit_code == 0, done.output + repr(done.exception)
    store = ModelStore(folder / "models")
    version = store.path(name, store.current(name))
    return done.output, verify(version), version


def test_of_families_that_are_not_fine_tuned_a_head_is_learnt_reported_and_served(folder: Path) -> None:
    versions = []
    for base in FROZEN:
        said, manifest, version = _train(folder, classifier_folder(base, folder / base), base.replace("_", "-"))
        versions.append(version)
        family = manifest.architecture.family
        assert f"epochs 0: bert-for-tf2 trains BERT, and ALBERT with one shared layer; of this {family}" in said
        assert "learning_rate" not in said
        assert manifest.pooling in ("mean", "first", *["pooler"] * (family == "albert"))
        assert manifest.provenance.hyperparameters["epochs"] == 0
        assert manifest.metrics["accuracy"] == manifest.metrics["frozen_accuracy"] > 0.4  # of three labels
        assert {"baseline_accuracy", "frozen_accuracy", "calibration_error"} <= manifest.metrics.keys()
        assert manifest.calibrated_on is not None
        assert manifest.unfamiliar is not None or manifest.metrics["test_texts"] < 50
        assert "report/index.html" in manifest.files
    check_served(*versions, atol=2e-5)


@pytest.mark.parametrize(("form", "loss"), [("hugging_face", "cross-entropy"), ("google", "contrastive")])
def test_albert_is_fine_tuned_and_served(folder: Path, form: str, loss: str) -> None:
    start = base = classifier_folder("albert", folder / "albert")
    if form == "google":
        base = write_google_albert(folder / "google", base)
    options = f"--epochs 2 --learning-rate 0.01 --batch-size 8 --patience 2 --loss {loss}".split()

    _, manifest, version = _train(folder, base, "albert", *options)

    assert manifest.architecture.family == "albert"
    assert manifest.metrics["accuracy"] > 0.8
    before, after = load_file(start / "model.safetensors"), load_file(version / WEIGHTS)
    encoder = [name for name in after if name.startswith("albert.")]
    assert [name for name in encoder if np.array_equal(before[name], after[name])] == []
    check_served(version, atol=2e-5)


@pytest.mark.parametrize(
    ("base", "options", "complaint"),
    [
        ("roberta", ["--epochs", "3"], "--epochs 3 can't be had: bert-for-tf2 trains BERT, and ALBERT"),
        ("deberta", [], "model_type 'deberta-v2' is not among those that are read: albert, bert, camembert"),
    ],
)
def test_what_can_not_be_trained_is_refused_in_a_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    base: str,
    options: list[str],
    complaint: str,
) -> None:
    model = classifier_folder("roberta", folder / base)
    if base == "deberta":
        config = model / "config.json"
        config.write_text(config.read_text().replace('"model_type": "roberta"', '"model_type": "deberta-v2"'))
    command = ["training", "train", "--data", str(folder / "data.csv"), "--base", str(model), *options]
    monkeypatch.setattr("sys.argv", command)

    with pytest.raises(SystemExit) as ended:
        main()

    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert len(said.splitlines()) == 1
    assert complaint in said
    assert not list((folder / "models").glob("*/CURRENT"))
