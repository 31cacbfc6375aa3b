"""The command line, on a store of tiny artifacts."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contract.artifact import MANIFEST, read_manifest
from contract.errors import BadArtifact
from contract.model_store import ModelStore
from harness.tiny_artifact import write_tiny_artifact
from training.cli import app
from training.errors import WorseModel
from training.hyperparameters import DataFacts, HyperParameters

VERSIONS = [f"20260101t00000{number}-abcdef" for number in (1, 2, 3)]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three versions of the model `tiny`, the last one current."""
    models = tmp_path / "models"
    for seed, version in enumerate(VERSIONS):
        write_tiny_artifact(models, version=version, seed=seed)
    monkeypatch.setenv("RETORT_MODELS_DIR", str(models))
    monkeypatch.setenv("RETORT_MODEL", "tiny")
    monkeypatch.setenv("COLUMNS", "200")
    return models


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def _current(models: Path) -> str:
    return ModelStore(models).current("tiny")


@pytest.mark.usefixtures("models")
def test_list_marks_what_is_served() -> None:
    lines = _run("list").splitlines()

    assert [version for line in lines for version in re.findall(r"20260101t\d+-\w+", line)] == VERSIONS
    assert [line.strip().startswith("*") for line in lines[-3:]] == [False, False, True]


def test_list_goes_on_past_a_damaged_version(models: Path) -> None:
    (models / "tiny" / VERSIONS[0] / MANIFEST).write_text("{")

    output = _run("list")

    assert "manifest.json" in output
    assert VERSIONS[1] in output


@pytest.mark.usefixtures("models")
def test_show_tells_about_the_current_version_or_another() -> None:
    assert f'"version": "{VERSIONS[2]}"' in _run("show")
    assert f'"version": "{VERSIONS[0]}"' in _run("show", VERSIONS[0])


def test_activate_rollback_and_prune(models: Path) -> None:
    _run("activate", VERSIONS[0])
    assert _current(models) == VERSIONS[0]

    _run("activate", VERSIONS[1])
    assert VERSIONS[0] in _run("rollback")
    assert _current(models) == VERSIONS[0]

    assert VERSIONS[1] in _run("prune", "--keep", "1")
    assert ModelStore(models).versions("tiny") == [VERSIONS[0], VERSIONS[2]]


@pytest.mark.usefixtures("models")
def test_compare_puts_scores_side_by_side() -> None:
    output = _run("compare", VERSIONS[0], VERSIONS[1])

    assert re.search(r"accuracy +0\.5 +0\.5 +\+0", output)


def _made_elsewhere(folder: Path, accuracy: float) -> Path:
    made = write_tiny_artifact(folder / "elsewhere", version="20260202t000000-abcdef")
    manifest = read_manifest(made).model_copy(update={"metrics": {"accuracy": accuracy}})
    (made / MANIFEST).write_text(manifest.model_dump_json())
    return made


def test_publish_adds_and_serves_an_artifact_made_elsewhere(models: Path, tmp_path: Path) -> None:
    made = _made_elsewhere(tmp_path, accuracy=0.6)

    _run("publish", str(made))

    assert _current(models) == "20260202t000000-abcdef"
    assert made.exists()


def test_publish_does_not_serve_what_is_worse_unless_told_to(models: Path, tmp_path: Path) -> None:
    made = _made_elsewhere(tmp_path, accuracy=0.4)

    with pytest.raises(WorseModel, match=r"--force|activate"):
        _run("publish", str(made))
    assert _current(models) == VERSIONS[2]

    _run("activate", "20260202t000000-abcdef")
    assert _current(models) == "20260202t000000-abcdef"


@pytest.mark.usefixtures("models")
def test_what_is_not_there_cannot_be_activated() -> None:
    with pytest.raises(BadArtifact):
        _run("activate", "20990101t000000-abcdef")


def test_an_error_is_one_line_and_an_exit_status(models: Path) -> None:
    command = [sys.executable, "-m", "training", "activate", "20990101t000000-abcdef"]
    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert str(models) in done.stderr


@pytest.mark.parametrize("name", ["../elsewhere", "Upper", "", "a/b"])
def test_a_name_that_is_no_folder_of_the_volume_is_refused(models: Path, name: str) -> None:
    result = CliRunner().invoke(app, ["train", "--data", "data.csv", "--name", name])

    assert result.exit_code == 2
    assert "--name" in result.output
    assert [path.name for path in models.iterdir()] == ["tiny"]


@pytest.mark.usefixtures("models")
def test_publishing_what_is_no_artifact_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match=rf"{tmp_path}/nothing/manifest\.json: No such file"):
        _run("publish", str(tmp_path / "nothing"))


def test_an_empty_volume_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_MODELS_DIR", str(tmp_path))

    assert f"no version of any model in {tmp_path}" in _run("list").replace("\n", "")


@pytest.mark.usefixtures("models")
def test_verbs_of_the_store_answer_without_tensorflow_or_pandas() -> None:
    code = (
        "import sys; from training.cli import app; app(['list'], standalone_mode=False);"
        "print(sorted({'tensorflow', 'pandas', 'sklearn', 'matplotlib'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.usefixtures("models")
def test_train_has_an_option_for_every_hyperparameter_and_does_nothing_if_a_model_is_there() -> None:
    shown = re.sub(r"\s", "", _run("train", "--help"))
    for name in HyperParameters.model_fields:
        assert f"--{name.replace('_', '-')}" in shown

    assert "nothing to do" in _run("train", "--data", "nowhere.csv", "--if-missing")


@pytest.mark.usefixtures("models")
def test_a_hyperparameter_out_of_range_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("post,tags\na,x\n")

    result = CliRunner().invoke(app, ["train", "--data", str(tmp_path / "data.csv"), "--precision", "float8"])

    assert result.exit_code == 2
    assert "--precision" in result.output
    assert "float8" in result.output


@pytest.mark.usefixtures("models")
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.run.train", interrupted)
    rows = "".join(f"text {number},{'xy'[number % 2]}\n" for number in range(40))
    (tmp_path / "data.csv").write_text(f"post,tags\n{rows}")

    result = CliRunner().invoke(app, ["train", "--data", str(tmp_path / "data.csv")])

    assert result.exit_code == 130
    assert "the same command goes on" in result.output


FACTS = DataFacts(texts=10_000, texts_a_label=100, long_text=40, hidden=384, positions=512)


@pytest.mark.parametrize(
    ("texts", "given", "epochs"),
    [(1000, {}, 6), (20_000, {}, 3), (500, {}, 8), (1000, {"epochs": 2}, 2), (1000, {"batch_size": 16}, 3)],
)
def test_few_texts_are_seen_more_often(texts: int, given: dict[str, int], epochs: int) -> None:
    assert HyperParameters.chosen(given, replace(FACTS, texts=texts), "float32")[0].epochs == epochs


@pytest.mark.parametrize(
    ("long_text", "positions", "max_length"),
    [(40, 512, 40), (41, 512, 48), (9, 512, 32), (900, 512, 256), (200, 128, 128)],
)
def test_the_length_follows_the_texts(long_text: int, positions: int, max_length: int) -> None:
    facts = replace(FACTS, long_text=long_text, positions=positions)

    assert HyperParameters.chosen({}, facts, "float32")[0].max_length == max_length


def test_the_rate_follows_the_base_model() -> None:
    rates = [HyperParameters.chosen({}, replace(FACTS, hidden=hidden), "float32")[0] for hidden in (128, 384, 768)]

    assert [each.learning_rate for each in rates] == [1e-4, 1e-4, 5e-5]


def test_a_choice_is_told_with_its_reason_unless_it_was_given() -> None:
    parameters, reasons = HyperParameters.chosen({"epochs": 4}, FACTS, "float32")

    assert parameters.epochs == 4
    assert [reason.split()[0] for reason in reasons] == ["max_length", "learning_rate", "loss"]
    assert "40 tokens" in reasons[0]


def test_few_texts_a_label_are_learnt_by_their_pairs_unless_told_otherwise() -> None:
    few = replace(FACTS, texts=770, texts_a_label=10)

    assert HyperParameters.chosen({}, FACTS, "float32")[0].loss == "cross-entropy"
    chosen, reasons = HyperParameters.chosen({}, few, "float32")
    assert (chosen.loss, chosen.epochs, chosen.learning_rate) == ("contrastive", 3, 5e-5)
    assert "loss contrastive: 10 texts a label" in reasons
    assert HyperParameters.chosen({"loss": "cross-entropy"}, few, "float32")[0].epochs == 8


def test_the_device_chooses_the_precision_unless_told_otherwise() -> None:
    assert HyperParameters.chosen({}, FACTS, "bfloat16")[0].precision == "bfloat16"
    assert HyperParameters.chosen({"precision": "float32"}, FACTS, "bfloat16")[0].precision == "float32"
