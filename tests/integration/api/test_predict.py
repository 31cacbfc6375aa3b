"""POST /predict through the WSGI application, a real Redis and a stand-in worker."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.answering_worker import VERSION, AnsweringWorker, answer_document


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("field", ["texts", "X", "x"])
def test_texts_are_answered_in_their_order(client: FlaskClient, field: str) -> None:
    texts = ["why is my pointer null", "", "héllo ☃ 你好"]
    answer = client.post("/predict", json={field: texts})
    assert answer.status_code == 200
    document = answer.get_json()
    assert document["predictions"] == [answer_document(text) for text in texts]
    assert document["status"] == "succeeded"
    assert document["model"] == {"name": "default", "version": VERSION}
    assert document["progress"] == {"texts": 3, "done": 3, "errors": 1}


@pytest.mark.usefixtures("worker")
def test_a_job_nobody_waits_for_is_accepted_and_read_later(client: FlaskClient) -> None:
    accepted = client.post("/predict", json={"texts": ["a"]}, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    assert accepted.headers["Preference-Applied"] == "respond-async"
    assert int(accepted.headers["Retry-After"]) >= 1
    found = client.get(accepted.headers["Location"] + "?wait=10")
    assert found.get_json()["predictions"] == [answer_document("a")]


def test_single_texts_that_come_together_are_each_sent_once_and_not_crossed(
    app: Flask, worker: AnsweringWorker
) -> None:
    texts = [f"question {n}" for n in range(300)]

    def ask(text: str) -> object:
        return app.test_client().post("/predict", json={"texts": [text]}).get_json()["predictions"]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, texts))
    assert answers == [[answer_document(text)] for text in texts]
    assert sum(len(tickets) for _, tickets in worker.messages) == 300
