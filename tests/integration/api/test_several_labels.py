"""The API before a model that gives a text any number of labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.openapi.schemas import Job, Results
from api.settings import ApiSettings
from contract.artifact import MANIFEST
from contract.prediction import MultiLabelPrediction, Options
from harness.answering_worker import ANY_LABELS, AnsweringWorker, answer_document
from harness.tiny_artifact import write_tiny_artifact
from tests.integration.api.conftest import MakeApp, context

TEXTS = ["", *(f"text {n}" for n in range(80))]


@pytest.fixture
def client(make_app: MakeApp, settings: ApiSettings, tmp_path: Path) -> Iterator[FlaskClient]:
    write_tiny_artifact(tmp_path, "default", thresholds=ANY_LABELS.thresholds)
    app = make_app(models_dir=tmp_path)
    with AnsweringWorker(settings, rule=ANY_LABELS):
        context(app).fleet.refresh()
        yield app.test_client()


def expected(**options: object) -> list[object]:
    return [answer_document(text, Options.model_validate(options), ANY_LABELS) for text in TEXTS]


@pytest.mark.parametrize("options", [{}, {"threshold": 0.4}, {"threshold": 1}, {"top_k": 2, "scores": True}])
def test_a_job_answers_with_the_labels_that_hold(client: FlaskClient, options: dict[str, object]) -> None:
    found = client.post("/predict?wait=30", json={"texts": TEXTS, **options}).get_json()
    assert found["predictions"] == expected(**options)
    assert isinstance(Job.model_validate(found).predictions[1], MultiLabelPrediction)


def test_pages_lines_and_csv_tell_the_same(client: FlaskClient) -> None:
    job = client.post("/predict?wait=30", json={"texts": TEXTS, "scores": True}).get_json()["id"]
    address, wanted = f"/jobs/{job}/results", expected(scores=True)
    page = client.get(address)
    assert page.get_json()["predictions"] == wanted
    Results.model_validate_json(page.data)
    lines = client.get(address, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line) for line in lines] == [
        {"index": number, **row} for number, row in enumerate(wanted) if isinstance(row, dict)
    ]
    rows = list(csv.DictReader(io.StringIO(client.get(address, headers={"Accept": "text/csv"}).text)))
    assert list(rows[0]) == ["index", "labels", "tokens", "truncated", "error", "detail", "scores"]
    assert (rows[0]["labels"], rows[0]["error"]) == ("", "empty-text")
    for row, one in zip(rows[1:], wanted[1:], strict=True):
        assert isinstance(one, dict)
        assert (json.loads(row["labels"]), json.loads(row["scores"])) == (one["labels"], one["scores"])


@pytest.mark.parametrize("bad", [-0.1, 1.1, "0.5", True])
def test_a_threshold_that_is_no_score_is_refused_where_it_stands(client: FlaskClient, bad: object) -> None:
    answer = client.post("/predict", json={"texts": ["a"], "threshold": bad})
    assert (answer.status_code, answer.get_json()["errors"][0]["pointer"]) == (422, "/threshold")


def test_a_version_shows_its_thresholds_and_one_of_one_label_has_none(client: FlaskClient, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "single")
    [several] = client.get("/models/default").get_json()["versions"]
    assert several["thresholds"] == {"java": 0.2, "python": 0.3, "sql": 0.4}
    [one] = client.get("/models/single").get_json()["versions"]
    assert "thresholds" not in one


def test_a_version_shows_which_of_its_labels_means_none_of_the_others(client: FlaskClient, tmp_path: Path) -> None:
    manifest = write_tiny_artifact(tmp_path, "single") / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"other": "sql"}))

    [one] = client.get("/models/single").get_json()["versions"]
    assert one["other"] == "sql"
    [several] = client.get("/models/default").get_json()["versions"]
    assert "other" not in several
