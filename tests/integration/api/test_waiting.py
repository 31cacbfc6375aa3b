"""Who waits how long, and what wakes them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from unittest.mock import Mock

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.http.presence import Presence
from contract.job_store import WAKE_CHANNEL
from harness.answering_worker import AnsweringWorker, answer_document
from harness.until import until
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
    assert 1 <= time.monotonic() - begun < 9  # without its preference it would have waited for ten seconds
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "wait=1"
    assert answer.get_json()["status"] == "queued"


def test_a_poll_that_waits_answers_when_the_job_ends(
    app: Flask, client: FlaskClient, worker: AnsweringWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.reader.LOOK_EVERY_S", 60)
    worker.go.clear()
    location = client.post("/predict", json={"texts": ["a"]}, headers=LATER).headers["Location"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: app.test_client().get(f"{location}?wait=30").get_json())
        worker.go.set()
        begun = time.monotonic()
        assert waiting.result(60)["status"] == "succeeded"
    assert time.monotonic() - begun < 25


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


@pytest.mark.parametrize("way", ["", "/results", "/results as NDJSON"])
def test_who_waits_looks_when_the_job_moves_and_hardly_ever_else(
    app: Flask, client: FlaskClient, store: redis.Redis, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    job = client.post("/predict?wait=0", json={"texts": ["a"]}).get_json()["id"]
    read = Mock(side_effect=context(app).reader.read)
    monkeypatch.setattr(context(app).reader, "read", read)
    path, _, media_type = way.partition(" as ")
    headers = {"Accept": "application/x-ndjson"} if media_type else {}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.get, f"/jobs/{job}{path}?wait=2", headers=headers)
        until(lambda: job in context(app).events._waiting)
        for _ in range(3):
            store.publish(WAKE_CHANNEL, job)
        assert waiting.result(30).status_code == 200
    assert 3 <= read.call_count <= 3 + 6


def test_after_a_lost_connection_everybody_who_waits_looks(app: Flask, store: redis.Redis) -> None:
    """Nobody knows what was published meanwhile."""
    events, present = context(app).events, Presence()
    with ExitStack() as stack:
        waiters = [stack.enter_context(events.subscribe(job, present)) for job in ("one", "one", "two", "three")]
        until(lambda: store.publish(WAKE_CHANNEL, "three") and waiters[-1].moved.is_set())
        for waiter in waiters:
            waiter.moved.clear()
        store.client_kill_filter(_type="pubsub")
        until(lambda: all(waiter.moved.is_set() for waiter in waiters), 10, what="everybody to be woken")


def test_the_longest_wait_is_a_setting(make_app: MakeApp) -> None:
    client = make_app(max_wait_s=0.3).test_client()
    begun = time.monotonic()
    assert client.post("/predict?wait=3000", json={"texts": ["a"]}).status_code == 202
    assert time.monotonic() - begun < 60


def test_nobody_is_remembered_once_they_stopped_waiting(app: Flask, client: FlaskClient) -> None:
    client.post("/predict?wait=0.1", json={"texts": ["a"]})
    assert context(app).events._waiting == {}
