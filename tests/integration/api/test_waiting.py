"""Who waits how long, and what wakes them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from contract.job_store import WAKE_CHANNEL
from harness.answering_worker import AnsweringWorker, answer_document
from tests.integration.api.conftest import MakeApp, context

LATER = {"Prefer": "respond-async"}


@pytest.mark.usefixtures("worker")
def test_a_job_nobody_waits_for_is_accepted_and_read_later(client: FlaskClient) -> None:
    accepted = client.post("/predict", json={"texts": ["a"]}, headers=LATER)
    assert accepted.status_code == 202
    assert accepted.headers["Preference-Applied"] == "respond-async"
    assert int(accepted.headers["Retry-After"]) >= 1
    assert accepted.headers["Location"] == f"/jobs/{accepted.get_json()['id']}"
    found = client.get(accepted.headers["Location"] + "?wait=10")
    assert found.get_json()["predictions"] == [answer_document("a")]


def test_out_of_patience_the_job_is_shown_as_it_stands(client: FlaskClient) -> None:
    begun = time.monotonic()
    answer = client.post("/predict", json={"texts": ["a"]}, headers={"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - begun < 5
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.get_json()["status"] == "queued"


def test_a_poll_that_waits_answers_when_the_job_ends(app: Flask, client: FlaskClient, worker: AnsweringWorker) -> None:
    worker.go.clear()
    location = client.post("/predict", json={"texts": ["a"]}, headers=LATER).headers["Location"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: app.test_client().get(f"{location}?wait=30").get_json())
        worker.go.set()
        begun = time.monotonic()
        assert waiting.result(30)["status"] == "succeeded"
    assert time.monotonic() - begun < 5


def test_a_poll_does_not_wait_unless_asked_to(client: FlaskClient) -> None:
    location = client.post("/predict", json={"texts": ["a"]}, headers=LATER).headers["Location"]
    poll = client.get(location)
    assert (poll.status_code, poll.get_json()["status"]) == (200, "queued")
    assert int(poll.headers["Retry-After"]) >= 1


def test_a_publication_that_is_lost_delays_the_answer_and_no_more(
    app: Flask, client: FlaskClient, worker: AnsweringWorker, store: redis.Redis
) -> None:
    """The connection of the listener is cut while the job is answered."""
    worker.go.clear()
    location = client.post("/predict", json={"texts": ["a"]}, headers=LATER).headers["Location"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: app.test_client().get(f"{location}?wait=30").get_json())
        assert store.pubsub_numsub(WAKE_CHANNEL)[0][1] == 1
        store.client_kill_filter(_type="pubsub")
        worker.go.set()
        assert waiting.result(10)["status"] == "succeeded"


def test_the_longest_wait_is_a_setting(make_app: MakeApp) -> None:
    client = make_app(max_wait_s=0.3).test_client()
    begun = time.monotonic()
    assert client.post("/predict?wait=3000", json={"texts": ["a"]}).status_code == 202
    assert time.monotonic() - begun < 5


def test_nobody_is_remembered_once_they_stopped_waiting(app: Flask, client: FlaskClient) -> None:
    client.post("/predict?wait=0.1", json={"texts": ["a"]})
    assert context(app).events._waiting == {}
