"""GET /jobs/<id>/results: pages, NDJSON and CSV, also while the job runs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.openapi.schemas import Results
from contract.errors import GoneJob
from harness.answering_worker import AnsweringWorker, answer_document
from tests.integration.api.conftest import MakeApp, context

TEXTS = [f"text {n}" for n in range(300)]
NDJSON, CSV = {"Accept": "application/x-ndjson"}, {"Accept": "text/csv"}


@pytest.fixture
def job(client: FlaskClient, worker: AnsweringWorker) -> str:
    assert worker.go.is_set()
    return str(client.post("/predict?wait=30", json={"texts": TEXTS}).get_json()["id"])


@pytest.fixture
def held_job(client: FlaskClient, worker: AnsweringWorker) -> str:
    """A job that does not run until the worker is let go."""
    worker.go.clear()
    return str(client.post("/predict?wait=0", json={"texts": TEXTS}).get_json()["id"])


def expected(texts: list[str]) -> list[object]:
    return [answer_document(text) for text in texts]


def pages(client: FlaskClient, address: str | None) -> Iterator[Results]:
    while address:
        page = Results.model_validate_json(client.get(address).data)
        yield page
        address = page.next


@pytest.mark.parametrize("limit", [1, 63, 64, 65, 100, 1000])
def test_following_next_gives_every_answer_once_in_order(client: FlaskClient, job: str, limit: int) -> None:
    found = [
        prediction.model_dump(exclude_none=True)
        for page in pages(client, f"/jobs/{job}/results?limit={limit}")
        for prediction in page.predictions
    ]
    assert found == expected(TEXTS)


@pytest.mark.parametrize("start", [0, 1, 64, 299, 300, 301, 10**30])
def test_a_page_begins_where_it_is_asked_to(client: FlaskClient, job: str, start: int) -> None:
    page = client.get(f"/jobs/{job}/results?from={start}&limit=10").get_json()
    assert page["predictions"] == expected(TEXTS[start : start + 10])


def test_a_page_of_a_job_that_has_not_begun_is_empty_and_leads_to_itself(client: FlaskClient, held_job: str) -> None:
    answer = client.get(f"/jobs/{held_job}/results?limit=10")
    page = answer.get_json()
    assert (page["predictions"], page["next"]) == ([], f"/jobs/{held_job}/results?from=0&limit=10")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_page_waits_for_its_first_answer(client: FlaskClient, worker: AnsweringWorker, held_job: str) -> None:
    worker.go.set()
    page = client.get(f"/jobs/{held_job}/results?wait=30&limit=10").get_json()
    assert page["predictions"] == expected(TEXTS[:10])


def test_ndjson_has_every_answer_with_its_number(client: FlaskClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}/results?from=3", headers=NDJSON)
    assert answer.mimetype == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line.pop("index") for line in lines] == list(range(3, 300))
    assert lines == expected(TEXTS[3:])


def test_a_stream_begins_before_the_job_ends_and_ends_with_it(
    client: FlaskClient, worker: AnsweringWorker, held_job: str
) -> None:
    worker.pause_s = 0.05
    worker.go.set()
    stream = client.get(f"/jobs/{held_job}/results", headers=NDJSON, buffered=False).iter_encoded()
    first = next(stream).decode()
    assert client.get(f"/jobs/{held_job}").get_json()["status"] == "running"
    lines = (first + b"".join(stream).decode()).splitlines()
    assert [json.loads(line)["index"] for line in lines] == list(range(300))


def test_a_stream_ends_when_its_wait_is_over(client: FlaskClient, held_job: str) -> None:
    begun = time.monotonic()
    assert client.get(f"/jobs/{held_job}/results?wait=0.3", headers=NDJSON).text == ""
    assert time.monotonic() - begun < 60


def test_a_stream_of_a_cancelled_job_breaks_off(app: Flask, client: FlaskClient, held_job: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(app.test_client().get, f"/jobs/{held_job}/results", headers=NDJSON)
        while held_job not in context(app).events._waiting:
            time.sleep(0.001)
        client.delete(f"/jobs/{held_job}")
        with pytest.raises(GoneJob):
            reading.result(10)


def test_csv_reads_back_as_the_answers(client: FlaskClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}/results", headers=CSV)
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["label"], float(row["score"])) for row in rows] == [
        (document["label"], document["score"]) for document in map(answer_document, TEXTS)
    ]


@pytest.mark.usefixtures("worker")
def test_csv_has_columns_for_what_was_asked_for(client: FlaskClient) -> None:
    body = {"texts": ["a", ""], "top_k": 2, "scores": True}
    job = client.post("/predict", json=body).get_json()["id"]
    first, second = csv.DictReader(io.StringIO(client.get(f"/jobs/{job}/results", headers=CSV).text))
    assert len(json.loads(first["top"])) == 2
    assert sum(json.loads(first["scores"]).values()) == pytest.approx(1)
    assert (second["error"], second["top"], second["scores"]) == ("empty-text", "", "")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("text/html, */*;q=0.1", "application/json"),
    ],
)
def test_accept_chooses_the_form(client: FlaskClient, job: str, accept: str, kind: str) -> None:
    assert client.get(f"/jobs/{job}/results", headers={"Accept": accept}).mimetype == kind


def test_a_form_that_is_not_offered_is_refused(client: FlaskClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}/results", headers={"Accept": "image/png"})
    assert (answer.status_code, answer.get_json()["type"]) == (406, "/problems#not-acceptable")


@pytest.mark.usefixtures("worker")
def test_a_page_holds_no_more_than_the_setting_allows(make_app: MakeApp) -> None:
    client = make_app(page_texts=50).test_client()
    job = client.post("/predict?wait=30", json={"texts": TEXTS}).get_json()["id"]
    assert len(client.get(f"/jobs/{job}/results").get_json()["predictions"]) == 50
    assert client.get(f"/jobs/{job}/results?limit=51").status_code == 422


@pytest.mark.parametrize("headers", [NDJSON, CSV])
@pytest.mark.parametrize("limit", [1, 64, 100])
def test_a_stream_ends_after_its_limit(client: FlaskClient, job: str, headers: dict[str, str], limit: int) -> None:
    text = client.get(f"/jobs/{job}/results?from=3&limit={limit}", headers=headers).text
    assert len(text.splitlines()) == limit + (headers == CSV)
