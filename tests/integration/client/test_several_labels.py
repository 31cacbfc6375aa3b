"""A model that gives a text any number of labels, from the API to the client and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.settings import ApiSettings
from contract.prediction import MultiLabelPrediction as Answered
from contract.prediction import Options
from contract.windows import Windows
from harness.answering_worker import ANY_LABELS, AnsweringWorker, answer
from harness.tiny_artifact import write_tiny_artifact
from retort_client import Client, MultiLabelPrediction, Scored
from tests.integration.client.conftest import Serve
from tests.integration.client.faulty_server import FaultyServer
from tests.integration.client.test_command_line import questions, read_csv, retort, write_csv

ROWS = questions(120)
WINDOWS = Windows(pooling="max", length=32, stride=20)


@pytest.fixture
def server(serve: Serve, settings: ApiSettings, tmp_path: Path) -> Iterator[FaultyServer]:
    models = tmp_path / "models"
    write_tiny_artifact(models, "default", thresholds=ANY_LABELS.thresholds, windows=WINDOWS)
    server = serve(models_dir=models)
    with AnsweringWorker(settings, rule=ANY_LABELS):
        server.app.extensions["retort"].fleet.refresh()
        yield server


def held(text: str, threshold: float | None = None) -> tuple[Scored, ...] | None:
    """What the stand-in answers; None for a text that can't be predicted."""
    found = answer(text, Options(threshold=threshold), ANY_LABELS)
    if not isinstance(found, Answered):
        return None
    return tuple(Scored(one.label, one.score) for one in found.labels)


@pytest.mark.parametrize("threshold", [None, 0.0, 0.4, 1.0])
def test_the_client_gives_the_labels_that_hold(server: FaultyServer, threshold: float | None) -> None:
    texts = [row["post"] for row in ROWS if row["post"]]
    options = {} if threshold is None else {"threshold": threshold}
    with Client(server.url) as client:
        answers = client.predict(texts, **options)  # type: ignore[arg-type]
    assert all(isinstance(one, MultiLabelPrediction) for one in answers)
    assert [one.labels for one in answers] == [held(text, threshold) for text in texts]  # type: ignore[union-attr]


def test_the_client_sees_the_thresholds_and_windows_of_a_version(server: FaultyServer) -> None:
    with Client(server.url) as client:
        [version] = client.model("default")
    assert version.thresholds == {"java": 0.2, "python": 0.3, "sql": 0.4}
    assert version.windows == {"pooling": "max", "length": 32, "stride": 20}
    assert (version.other, version.review_below, version.unfamiliar_above) == (None, None, None)


def test_a_table_gets_its_labels_in_a_column_with_a_separator(server: FaultyServer, tmp_path: Path) -> None:
    write_csv(tmp_path / "questions.csv", ROWS)
    command = ["predict", "questions.csv", "-o", "answers.csv", "--window", 50, "--label-separator", ";"]
    retort(server, *command, cwd=tmp_path)
    for row, found in zip(ROWS, read_csv(tmp_path / "answers.csv"), strict=True):
        expected = held(row["post"]) or ()
        assert found["labels"] == ";".join(one.label for one in expected)
        assert found["label_scores"] == ";".join(str(one.score) for one in expected)


def test_a_table_gets_a_column_of_0_and_1_a_label(server: FaultyServer, tmp_path: Path) -> None:
    write_csv(tmp_path / "questions.csv", ROWS)
    retort(server, "predict", "questions.csv", "-o", "a.csv", "--label-columns", "--threshold", 0.4, cwd=tmp_path)
    for row, found in zip(ROWS, read_csv(tmp_path / "a.csv"), strict=True):
        expected = held(row["post"], 0.4)
        names = {one.label for one in expected or ()}
        assert [found[label] for label in ANY_LABELS.labels] == [
            "" if expected is None else str(int(label in names)) for label in ANY_LABELS.labels
        ]


def test_json_lines_get_a_list(server: FaultyServer, tmp_path: Path) -> None:
    write_csv(tmp_path / "questions.csv", ROWS)
    retort(server, "predict", "questions.csv", "-o", "answers.jsonl", cwd=tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    for row, found in zip(ROWS, lines, strict=True):
        expected = held(row["post"])
        assert found.get("labels") == (None if expected is None else [one.label for one in expected])
