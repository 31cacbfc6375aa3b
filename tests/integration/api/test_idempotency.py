"""Idempotency-Key: a request that is sent again makes no second job."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from harness.answering_worker import AnsweringWorker, answer_document
from tests.integration.api.conftest import MakeApp

KEY = {"Idempotency-Key": "k"}


def post(client: FlaskClient, body: dict[str, object], query: str = "?wait=0") -> TestResponse:
    return client.post(f"/predict{query}", json=body, headers=KEY)


def test_the_same_request_gives_the_same_job(client: FlaskClient) -> None:
    first, again = (post(client, {"texts": ["a"]}) for _ in range(2))
    assert first.get_json()["id"] == again.get_json()["id"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_same_request_in_other_words_gives_the_same_job(client: FlaskClient) -> None:
    bodies: list[dict[str, object]] = [
        {"texts": ["a"]},
        {"X": ["a"]},
        {"top_k": 1, "texts": ["a"], "model": "default", "deadline_s": 3600},
    ]
    assert len({post(client, body).get_json()["id"] for body in bodies}) == 1


@pytest.mark.parametrize("other", [{"texts": ["b"]}, {"texts": ["a"], "top_k": 2}, {"texts": ["a"], "deadline_s": 9}])
def test_another_request_with_the_same_key_is_refused(client: FlaskClient, other: dict[str, object]) -> None:
    post(client, {"texts": ["a"]})
    refused = post(client, other)
    assert (refused.status_code, refused.get_json()["type"]) == (422, "/problems#idempotency-conflict")


@pytest.mark.usefixtures("worker")
def test_a_repeated_request_waits_for_the_answer_of_the_first(client: FlaskClient) -> None:
    for _ in range(2):
        assert post(client, {"texts": ["a"]}, "?wait=10").get_json()["predictions"] == [answer_document("a")]


def test_requests_at_the_same_time_make_one_job(app: Flask, worker: AnsweringWorker) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(app.test_client(), {"texts": ["a"]}, "?wait=10").get_json(), range(40)))
    assert len({answer["id"] for answer in answers}) == 1
    assert all(answer["predictions"] == [answer_document("a")] for answer in answers)
    assert len(worker.messages) == 1


@pytest.mark.usefixtures("worker")
def test_a_repeated_request_for_a_deleted_job_is_told_so(client: FlaskClient) -> None:
    job = post(client, {"texts": ["a"]}, "?wait=10").get_json()["id"]
    client.delete(f"/jobs/{job}")
    assert post(client, {"texts": ["a"]}).status_code == 410


def test_a_key_is_forgotten_after_its_time(make_app: MakeApp) -> None:
    client = make_app(idempotency_ttl_s=1).test_client()
    first = post(client, {"texts": ["a"]}).get_json()["id"]
    post(client, {"texts": ["b"]}, "?wait=1.2")  # refused at once
    client.post("/predict?wait=1.2", json={"texts": ["c"]})  # time passes
    assert post(client, {"texts": ["b"]}).get_json()["id"] != first
