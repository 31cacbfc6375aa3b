from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from contract.artifact import Provenance, TokenizerOptions, verify
from contract.windows import Windows
from encoders.tokenization import EncodedText
from harness.tiny_artifact import tiny_architecture, tiny_pipeline, write_tiny_artifact
from training.artifact import held_out
from training.artifact.compare import Change, compare
from training.artifact.export import Trained, version_name, write_artifact
from training.artifact.held_out import HeldOutAnswer
from training.artifact.report import page, write_report
from training.cli.app import console
from training.data.data_report import DataReport, report_on, show, show_classes
from training.data.table import one_label_table
from training.evaluation.evaluate import HeldOutPredictions, intervals, scores
from training.fit.checkpoint import Epoch, TrainingState

TEXTS = ["<b>bold</b> & brave", "sort a list", "select rows", "throw"]
LABELS = ("c<++>", "python", "sql")
HELD = HeldOutPredictions(
    texts=TEXTS,
    labels=np.array([0, 1, 2, 0], np.int32),
    logits=np.eye(3, dtype=np.float32)[[1, 1, 2, 0]] * 3,
    temperature=1.5,
)
DATA = DataReport(
    rows=40,
    dropped={"empty text": 2},
    notes=["data.csv: columns 'post' and 'tags' [/b]"],
    classes={"python": 20, "sql": 15, "c<++>": 5},
    duplicates=3,
    conflicts=["same text [/b]"],
    lengths={50: 9, 100: 40},
    max_length=32,
    truncated=4,
    windows=None,
    cut=0,
    unknown=5,
    unreadable=1,
)
PICTURES = {"learning.png", "confusion.png", "reliability.png"}
STATE = TrainingState(
    start=Epoch(epoch=-1, train_loss=None, validation_loss=1.1, validation_accuracy=0.4),
    history=[
        Epoch(epoch=0, train_loss=1.0, validation_loss=0.9, validation_accuracy=0.5),
        Epoch(epoch=1, train_loss=0.5, validation_loss=0.6, validation_accuracy=0.75),
    ],
    losses=[1.2, 0.8, 0.6, 0.4],
)


@contextmanager
def no_trimming_fails() -> Iterator[Console]:
    """A console on which nothing may be printed."""
    told = Console(file=io.StringIO())
    yield told
    assert told.file.getvalue() == ""  # type: ignore[attr-defined]


def _trained(folder: Path) -> Trained:
    artifact = write_tiny_artifact(folder, seed=3)
    from safetensors.numpy import load_file

    return Trained(
        name="tiny",
        architecture=tiny_architecture(),
        pooling="pooler",
        pipeline=tiny_pipeline(),
        calibrated_on=0,
        tokenizer=TokenizerOptions(),
        tensors=load_file(artifact / "weights.safetensors"),
        labels=LABELS,
        other=None,
        max_length=32,
        windows=None,
        held=HELD,
        familiarity=None,
        metrics={
            **scores(HELD),
            **intervals(HELD, len(LABELS)),
            "baseline_accuracy": 0.25,
            "baseline_macro_f1": 0.2,
            "frozen_accuracy": 0.5,
            "frozen_macro_f1": 0.4,
        },
        choices=("pooling mean: it was best <b>",),
        provenance=Provenance(
            created=datetime(2026, 11, 22, 10, 15, tzinfo=UTC),
            base_model="minilm",
            data_sha256="d" * 64,
            seed=1,
            hyperparameters={"epochs": 2},
            packages={"numpy": "2"},
            duration_s=61.0,
        ),
    )


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    return _trained(tmp_path / "made")


def test_the_page_says_what_was_measured(trained: Trained) -> None:
    html = page(trained, STATE, DATA, PICTURES)

    for said in (
        "75.0% accuracy",
        "pooling mean: it was best &lt;b&gt;",
        "on 4 held-out texts",
        "0:01:01",
        "2026-11-22 10:15 UTC",
        "d" * 64,
        "1.5",
    ):
        assert said in html
    assert "dropped: empty text" in html


def test_the_page_puts_scores_beside_the_baselines_and_calibration_before_beside_after(trained: Trained) -> None:
    html = re.sub(r"\s*<[^>]+>\s*", " ", page(trained, STATE, DATA, PICTURES))

    metrics = trained.metrics
    before, after = metrics["calibration_error_raw"], metrics["calibration_error"]
    assert re.search(r"accuracy\s+0\.7500\s+0\.2\d+ … 0\.9\d+\s+0\.5000\s+0\.2500", html)
    assert re.search(rf"expected calibration error\s+{before:.4f}\s+{after:.4f}", html)
    assert before != after


def test_texts_and_labels_cannot_smuggle_html_into_the_page(trained: Trained) -> None:
    html = page(trained, STATE, DATA, PICTURES)

    assert "<b>" not in html
    assert "c<++>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; brave" in html


def test_report_and_artifact_make_a_verifiable_version(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "artifact"

    write_report(trained, STATE, DATA, folder / "report", console)
    manifest = write_artifact(trained, folder)

    assert verify(folder) == manifest
    assert manifest.version == version_name(trained.provenance.created, manifest.files["weights.safetensors"])
    assert manifest.version.startswith("20261122t101500-")
    pictures = [folder / "report" / f"{name}.png" for name in ("learning", "confusion", "reliability")]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    expected = [
        HeldOutAnswer(text, (LABELS[label],), tuple(row))
        for text, label, row in zip(TEXTS, HELD.labels, HELD.probabilities.tolist(), strict=True)
    ]
    assert held_out.read(folder) == expected


@pytest.mark.parametrize(
    "labels", [("$", "$$", "$$$"), ("[bug]", "[/bug]", "<b>"), ("日本", "مرحبا", "🚀"), ("a" * 500, "\\frac", "_^{")]
)
def test_labels_are_literal_text_in_the_report(trained: Trained, tmp_path: Path, labels: tuple[str, ...]) -> None:
    report = tmp_path / "report"

    with no_trimming_fails() as told:
        write_report(replace(trained, labels=labels), STATE, DATA, report, told)

    html = (report / "index.html").read_text()
    assert all(escape(label) in html for label in labels)


def test_with_letters_that_no_font_has_the_page_has_a_table_and_no_empty_boxes(
    trained: Trained, tmp_path: Path
) -> None:
    write_report(replace(trained, labels=("\U000f0000", "b", "c")), STATE, DATA, tmp_path / "report", console)

    assert not (tmp_path / "report" / "confusion.png").exists()
    assert "confusion.png" not in (tmp_path / "report" / "index.html").read_text()


def test_700_labels_make_a_table_of_pairs_and_no_picture(trained: Trained, tmp_path: Path) -> None:
    labels = tuple(f"label {number}" for number in range(700))
    logits = np.zeros((4, 700), np.float32)
    logits[:, 7] = 3
    many = replace(trained, labels=labels, held=replace(HELD, logits=logits))

    with no_trimming_fails() as told:
        write_report(many, STATE, DATA, tmp_path / "report", told)

    assert not (tmp_path / "report" / "confusion.png").exists()
    html = re.sub(r"\s*<[^>]+>\s*", " ", (tmp_path / "report" / "index.html").read_text())
    assert re.search(r"Most confused\s+label\s+predicted\s+texts\s+label 0\s+label 7\s+2\s", html)


def test_a_picture_that_fails_is_told_and_costs_nothing_else(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError("no canvas")

    monkeypatch.setattr("training.artifact.plots.reliability", fails)
    write_report(trained, STATE, DATA, tmp_path / "report", console)

    told = capsys.readouterr().out
    assert "reliability.png could not be made" in told
    assert "no canvas" in told
    html = (tmp_path / "report" / "index.html").read_text()
    assert "confusion.png" in html
    assert "reliability.png" not in html


def test_two_versions_are_compared_by_scores_and_by_texts_that_change_their_label(tmp_path: Path) -> None:
    folders = []
    for number, third in enumerate(([0, 0, 9], [0, 9, 0])):
        folder = write_tiny_artifact(tmp_path, version=f"v{number}", labels=LABELS)
        (folder / "report").mkdir()
        held = HeldOutPredictions(
            texts=[*TEXTS[:2], f"only in {number}", "changes"],
            labels=np.array([1, 1, 2, 2], np.int32),
            logits=np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], third], np.float32),
            temperature=1.0,
        )
        held_out.write(held, LABELS, folder / "report")
        folders.append(folder)

    found = compare(*folders)

    assert found.common == 3
    assert found.changes == [Change(text="changes", label="sql", first="sql", second="python")]
    assert [(score.name, score.first, score.second) for score in found.scores] == [("accuracy", 0.5, 0.5)]


def test_the_data_report_counts_what_is_odd() -> None:
    table = one_label_table(["How to sort", "how  to SORT", "other", "third"], ["a", "b", "a", "a"], {"empty text": 1})

    lengths, shares = (5, 5, 9, 40), (0.0, 0.1, 0.5, 0.0)
    encoded = [
        EncodedText(ids=np.zeros(2, np.int32), length=length, empty=length == 40, unknown_share=share)
        for length, share in zip(lengths, shares, strict=True)
    ]

    report = report_on(table, encoded, max_length=8)
    assert report == DataReport(
        rows=4,
        dropped={"empty text": 1},
        notes=[],
        classes={"a": 3, "b": 1},
        duplicates=1,
        conflicts=["how to sort"],
        lengths={5: 5, 25: 5, 50: 9, 75: 9, 90: 40, 95: 40, 99: 40, 100: 40},
        max_length=8,
        truncated=2,
        windows=None,
        cut=4,
        unknown=1,
        unreadable=1,
    )
    assert report.imbalance == 3


@pytest.mark.parametrize(
    ("length", "said"), [(20, "3 windows"), (30, "3 windows; 1 of these texts are cut off after 64")]
)
def test_the_data_report_counts_the_windows_of_long_texts(
    length: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    piece = np.zeros(8, np.int32)
    long = EncodedText(ids=piece, length=length, more=(piece, piece), covered=20)
    encoded = [EncodedText(ids=piece[:4], length=4), long]
    show(report_on(one_label_table(["a", "b"], ["a", "b"]), encoded, 8, Windows.usual("mean", 8)), console)
    assert f"longer than 8 tokens: 1 texts (50.0%), read in {said}\n" in capsys.readouterr().out


def test_the_data_report_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(DATA, console)
    show_classes(DATA, console)

    shown = capsys.readouterr().out
    for said in (
        "columns 'post' and 'tags' [/b]",
        "40 texts, 3 labels",
        "2 rows dropped: empty text",
        "'same text [/b]'",
        "4 texts (10.0%)",
        "5 texts (12.5%): at least 20% of what is read is unknown",
        "1 texts (2.5%): nothing is left to read",
        "4.0 times",
        "37.5%",
    ):
        assert said in shown
