"""`python -m training train` as a process: published, served as trained, and the same after a SIGKILL."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from contract.artifact import Manifest, verify
from contract.errors import NoModel
from contract.model_store import ModelStore
from contract.windows import LongReading, Windows
from harness.tiny_artifact import WORDS
from harness.until import until
from tests.base_models import write_one_layer
from tests.served_as_trained import check_served
from tests.small_disk import fill, small_disk
from tests.training_command import command, run_as_process, run_here, variables
from training.artifact import held_out
from training.fit import checkpoint
from training.fit.loop import CHECKPOINT

pytestmark = pytest.mark.timeout(600)

STARTING_S = 300
LABELS = ("java", "python", "sql")
OTHER_WORDS = [word for word in WORDS if word not in LABELS and not word.startswith("##")]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny base model, `bert`, and labelled texts that name their label, `data.csv`."""
    folder = tmp_path_factory.mktemp("inputs")
    write_one_layer(folder / "bert")
    generator, rows = random.Random(1), []
    for _ in range(300):
        label = generator.choice(LABELS)
        words = generator.choices(OTHER_WORDS, k=generator.randrange(1, 20))
        rows.append((" ".join([*words, label]), label))
    pd.DataFrame(rows, columns=["post", "tags"]).to_csv(folder / "data.csv", index=False)
    return folder


def _arguments(inputs: Path, *more: str) -> list[str]:
    options = (
        "--name tiny --epochs 3 --batch-size 8 --learning-rate 0.003 --max-length 32 --buckets 2 --precision float32"
    )
    start = ["train", "--data", str(inputs / "data.csv"), "--base", str(inputs / "bert")]
    return [*start, *options.split(), *more]


def _current(folder: Path) -> Path:
    reader = ModelStore(folder / "models")
    return reader.path("tiny", reader.current("tiny"))


@pytest.fixture(scope="module")
def trained(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    run_as_process(folder, *_arguments(inputs))
    return folder


@pytest.fixture(scope="module")
def manifest(trained: Path) -> Manifest:
    return verify(_current(trained))


def test_the_model_is_learnt_and_made_current(manifest: Manifest) -> None:
    assert manifest.labels == LABELS
    assert manifest.metrics["accuracy"] > 0.6
    assert manifest.metrics["baseline_accuracy"] > 0.9
    assert manifest.provenance.hyperparameters["epochs"] == 3
    assert manifest.provenance.packages["bert-for-tf2"] == "0.14.9"


def test_the_report_with_its_pictures_is_part_of_the_artifact(trained: Path, manifest: Manifest) -> None:
    pictures = {f"report/{name}.png" for name in ("learning", "confusion", "reliability")}
    page = (_current(trained) / "report" / "index.html").read_text()

    assert pictures | {"report/index.html", "report/held_out.jsonl"} < manifest.files.keys()
    assert all((_current(trained) / picture).read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert f"{manifest.metrics['accuracy']:.1%} accuracy" in page
    assert str(manifest.provenance.data_sha256) in page
    assert "$" not in page


def test_nothing_is_left_of_the_run_but_its_tensorboard_log(trained: Path) -> None:
    left = [path.name for path in (trained / "models" / "tiny").iterdir()]

    assert not [name for name in left if name.startswith((".training", ".staging"))]
    assert list((trained / "logs").rglob("events.out.tfevents.*"))


def test_a_worker_gives_every_held_out_text_the_probabilities_of_its_trainer(trained: Path) -> None:
    assert len(held_out.read(_current(trained))) == 30
    check_served(_current(trained), atol=1e-4)


def test_texts_without_a_label_teach_one_of_their_own_which_the_version_names(inputs: Path, tmp_path: Path) -> None:
    table = pd.read_csv(inputs / "data.csv")
    chatter = [" ".join(random.Random(seed).choices(OTHER_WORDS, k=8)) for seed in range(100)]
    more = pd.DataFrame({"post": chatter, "tags": [None] * 50 + ["misc"] * 50})
    pd.concat([table, more]).to_csv(tmp_path / "data.csv", index=False)

    again = ["--data", str(tmp_path / "data.csv"), "--other", "misc", "--force"]
    told = run_here(tmp_path, *_arguments(inputs, *again))

    manifest, page = verify(_current(tmp_path)), (_current(tmp_path) / "report" / "index.html").read_text()
    assert "none of the other labels: 'misc', with 50 texts that have no label" in told
    assert (manifest.other, manifest.labels) == ("misc", ("java", "misc", "python", "sql"))
    assert manifest.metrics["other_texts"] == 10
    assert "none of the other labels; of 10 such texts held out" in page


def test_windows_are_learnt_scored_and_served_alike(inputs: Path, tmp_path: Path) -> None:
    poolings: tuple[LongReading, ...] = ("mean", "max")
    for long in poolings:
        _learn_windows(inputs, tmp_path / long, long)
    # Loading proves the golden texts, their distances too.
    check_served(*(_current(tmp_path / long) for long in poolings), atol=1e-4)


def _learn_windows(inputs: Path, folder: Path, long: LongReading) -> None:
    more = ["--long", long, "--max-length", "8", "--epochs", "1", "--force"]
    told = run_here(folder, *_arguments(inputs, *more))

    manifest = verify(_current(folder))
    assert "longer than 8 tokens: " in told
    assert manifest.windows == Windows(pooling=long, length=8, stride=6)
    # The label comes last in a text, where a model that cuts off does not look.
    assert manifest.metrics["accuracy"] > 0.6
    assert max(len(golden.text.split()) for golden in manifest.golden) > 8


def test_what_is_served_is_not_trained_again_when_that_is_asked_for(inputs: Path, trained: Path) -> None:
    before = _current(trained)

    for option in ("--if-missing", "--if-changed"):
        assert "nothing to do" in run_here(trained, *_arguments(inputs, option))

    assert _current(trained) == before


def test_killed_in_the_middle_of_an_epoch_and_started_again_it_ends_as_an_unbroken_run(
    inputs: Path, manifest: Manifest, tmp_path: Path
) -> None:
    running = _start(inputs, tmp_path, stdout=subprocess.DEVNULL)
    _wait_until_within_an_epoch(tmp_path, running)
    running.kill()
    running.wait()
    with pytest.raises(NoModel):
        _current(tmp_path)

    run_as_process(tmp_path, *_arguments(inputs))

    resumed = verify(_current(tmp_path))
    assert resumed.metrics == manifest.metrics
    assert resumed.files["weights.safetensors"] == manifest.files["weights.safetensors"]


def test_on_a_full_disk_training_says_so_in_a_line_and_publishes_nothing(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    with small_disk(tmp_path / "models", "32m") as models:
        running = _start(inputs, tmp_path, stderr=subprocess.PIPE)
        _wait_until_within_an_epoch(tmp_path, running)
        fill(models)
        _, said = running.communicate(timeout=STARTING_S)
        assert running.returncode == 1
        assert b"No space left on device" in said
        assert b"Traceback" not in said
        with pytest.raises(NoModel):
            _current(tmp_path)
        assert list((models / "tiny").glob(f".training-*/.{CHECKPOINT}*")) == []


def _start(inputs: Path, folder: Path, stdout: int | None = None, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """A process that trains, with a checkpoint after every step."""
    environment = os.environ | variables(folder) | {"RETORT_CHECKPOINT_S": "0"}
    return subprocess.Popen(command(*_arguments(inputs)), env=environment, stdout=stdout, stderr=stderr)


def _wait_until_within_an_epoch(folder: Path, running: subprocess.Popen[bytes]) -> None:
    """Wait for a checkpoint in the middle of the second epoch."""

    def is_there() -> bool:
        assert running.poll() is None
        states = [checkpoint.load(path)[1] for path in (folder / "models" / "tiny").glob(f".training-*/{CHECKPOINT}")]
        return any(state.epoch == 1 and state.step > 2 for state in states)

    until(is_there, STARTING_S, what="a checkpoint")
