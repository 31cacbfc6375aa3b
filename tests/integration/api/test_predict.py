"""POST /predict through the WSGI application, a real Redis and a stand-in worker."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.openapi.schemas import Job
from contract.job_record import JobState
from contract.prediction import Options
from harness.answering_worker import VERSION, AnsweringWorker, answer_document
from harness.tiny_artifact import write_tiny_artifact
from tests.integration.api.conftest import MakeApp, context


def answers(texts: list[str], **options: Any) -> list[dict[str, Any]]:
    return [answer_document(text, Options(**options)) for text in texts]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("field", ["texts", "X", "x"])
def test_texts_are_answered_in_their_order(client: FlaskClient, field: str) -> None:
    texts = ["why is my pointer null", "", "héllo ☃ 你好", "nul \0 is a character too"]
    answer = client.post("/predict", json={field: texts})
    assert answer.status_code == 200
    document = answer.get_json()
    assert document["predictions"] == answers(texts)
    assert document["status"] == "succeeded"
    assert document["model"] == {"name": "default", "version": VERSION}
    assert document["progress"] == {"texts": 4, "done": 4, "errors": 1}
    Job.model_validate_json(answer.data)


@pytest.mark.usefixtures("worker")
def test_options_reach_the_worker(client: FlaskClient) -> None:
    answer = client.post("/predict", json={"texts": ["a"], "top_k": 2, "scores": True, "truncate": "error"})
    assert answer.get_json()["predictions"] == answers(["a"], top_k=2, scores=True, truncate="error")


@pytest.mark.usefixtures("worker")
def test_a_job_of_many_chunks_is_answered_whole_and_in_order(client: FlaskClient) -> None:
    texts = [f"text {n}" for n in range(1500)]
    answer = client.post("/predict?wait=30", json={"texts": texts})
    assert answer.status_code == 200
    assert json.loads(answer.data)["predictions"] == answers(texts)
    Job.model_validate_json(answer.data)


def test_single_texts_that_come_together_are_each_sent_once_and_not_crossed(
    app: Flask, worker: AnsweringWorker
) -> None:
    texts = [f"question {n}" for n in range(300)]

    def ask(text: str) -> object:
        return app.test_client().post("/predict", json={"texts": [text]}).get_json()["predictions"]

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(ask, texts))
    assert found == [answers([text]) for text in texts]
    assert sum(len(tickets) for _, tickets in worker.messages) == 300


@pytest.mark.parametrize(("texts", "lane"), [(1, "interactive"), (256, "interactive"), (257, "bulk")])
def test_the_number_of_texts_decides_the_lane(app: Flask, client: FlaskClient, texts: int, lane: str) -> None:
    job = client.post("/predict", json={"texts": ["a"] * texts}, headers={"Prefer": "respond-async"}).get_json()["id"]
    assert context(app).jobs.status(job).lane == lane


def test_each_chunk_of_a_bulk_job_is_a_message(client: FlaskClient, store: redis.Redis) -> None:
    client.post("/predict?wait=0", json={"texts": ["a"] * 300})
    assert store.llen("retort.default.1-bulk") == 5


def test_a_job_outlives_its_deadline_as_expired(client: FlaskClient) -> None:
    answer = client.post("/predict?wait=10", json={"texts": ["a", "b"], "deadline_s": 1})
    document = answer.get_json()
    assert (answer.status_code, document["status"]) == (200, "expired")
    assert [prediction["error"]["code"] for prediction in document["predictions"]] == ["not-predicted"] * 2


def test_a_published_model_can_be_asked_before_a_worker_serves_it(
    make_app: MakeApp, store: redis.Redis, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "other")
    client = make_app(models_dir=tmp_path).test_client()
    assert client.post("/predict?wait=0", json={"texts": ["a"], "model": "other"}).status_code == 202
    assert store.llen("retort.other.0-interactive") == 1


def test_a_model_that_nobody_knows_is_refused(client: FlaskClient) -> None:
    refused = client.post("/predict?wait=0", json={"texts": ["a"], "model": "other"})
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["pointer"] == "/model"


def test_without_any_worker_a_job_is_accepted_and_waits(app: Flask, client: FlaskClient) -> None:
    accepted = client.post("/predict?wait=0.2", json={"texts": ["a"]})
    assert accepted.status_code == 202
    document = accepted.get_json()
    assert document["queue"] == {"texts_ahead": 0, "seconds_left": None}
    assert context(app).jobs.status(document["id"]).state is JobState.QUEUED
