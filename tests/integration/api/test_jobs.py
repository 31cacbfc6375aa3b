"""GET /jobs, GET and DELETE /jobs/<id>."""

from __future__ import annotations

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from api.openapi.schemas import Job, JobList
from api.settings import ApiSettings
from contract.chunk_store import ChunkStore
from contract.job_record import Commit
from contract.message import Ticket
from contract.settings import SharedSettings
from harness.answering_worker import AnsweringWorker
from tests.integration.api.conftest import context


def submit(client: FlaskClient, texts: list[str], **more: object) -> str:
    document = client.post("/predict?wait=0", json={"texts": texts, **more}).get_json()
    return str(document["id"])


def test_a_running_job_shows_its_progress(client: FlaskClient, store: redis.Redis, settings: SharedSettings) -> None:
    job = submit(client, ["a"] * 130)
    chunks = ChunkStore(store, settings, worker="w1")
    chunks.lease([Ticket(job, 0)])
    chunks.commit([Commit(ticket=Ticket(job, 0), version="v1", result='{"version":"v1","predictions":[]}', errors=3)])
    document = Job.model_validate_json(client.get(f"/jobs/{job}").data)
    assert document.status == "running"
    assert document.progress.model_dump() == {"texts": 130, "done": 64, "errors": 3}
    assert document.model.version == "v1"
    assert document.timing.queued_s is not None


def test_a_job_sees_how_many_texts_go_before_it_and_how_long_they_take(
    app: Flask, client: FlaskClient, settings: SharedSettings
) -> None:
    submit(client, ["a"] * 50)
    job = submit(client, ["b"] * 10)
    with AnsweringWorker(settings, texts_per_s=20, held=True):
        context(app).fleet.refresh()
        queue = client.get(f"/jobs/{job}").get_json()["queue"]
    assert queue == {"texts_ahead": 50, "seconds_left": 3.0}


def test_texts_ahead_and_seconds_left_shrink_with_every_chunk_that_is_answered(
    app: Flask, client: FlaskClient, store: redis.Redis, settings: ApiSettings
) -> None:
    first = submit(client, ["a"] * 130)
    job = submit(client, ["b"] * 70)
    chunks = ChunkStore(store, settings, worker="w1")
    seen = []
    with AnsweringWorker(settings, texts_per_s=20, held=True):
        context(app).fleet.refresh()
        for ticket in (Ticket(first, 0), Ticket(first, 1), Ticket(first, 2), Ticket(job, 0), Ticket(job, 1)):
            queue = client.get(f"/jobs/{job}").get_json()["queue"]
            seen.append((queue["texts_ahead"], queue["seconds_left"]))
            chunks.lease([ticket])
            chunks.commit([Commit(ticket=ticket, version="v1", result='{"version":"v1","predictions":[]}', errors=0)])
    assert seen == [(130, 10.0), (66, 6.8), (2, 3.6), (0, 3.5), (0, 0.3)]


def test_a_cancelled_job_is_shown_as_cancelled_and_its_results_are_gone(client: FlaskClient) -> None:
    job = submit(client, ["a"])
    assert client.delete(f"/jobs/{job}").status_code == 204
    shown = client.get(f"/jobs/{job}")
    assert (shown.status_code, shown.get_json()["status"]) == (200, "cancelled")
    assert "predictions" not in shown.get_json()
    assert client.get(f"/jobs/{job}/results").status_code == 410


@pytest.mark.usefixtures("worker")
def test_an_ended_job_that_is_deleted_is_gone(client: FlaskClient) -> None:
    job = client.post("/predict", json={"texts": ["a"]}).get_json()["id"]
    assert client.delete(f"/jobs/{job}").status_code == 204
    for answer in (client.get(f"/jobs/{job}"), client.get(f"/jobs/{job}/results"), client.delete(f"/jobs/{job}")):
        assert answer.status_code == 410
        assert answer.get_json()["type"] == "/problems#gone-job"


@pytest.mark.parametrize("job", ["a" * 29, "nonsense", "%00", "..", "A" * 29, "é", "a" * 5000])
def test_a_job_that_never_was_is_unknown(client: FlaskClient, job: str) -> None:
    answer = client.get(f"/jobs/{job}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_a_job_whose_chunk_was_given_up_fails_and_says_why(
    client: FlaskClient, store: redis.Redis, settings: SharedSettings
) -> None:
    job = submit(client, ["a", "b"])
    chunks = ChunkStore(store, settings, worker="w1")
    for _ in range(settings.max_attempts):
        chunks.lease([Ticket(job, 0)])
        chunks.give_up([Ticket(job, 0)], "its worker died")
    document = client.get(f"/jobs/{job}").get_json()
    assert document["status"] == "failed"
    assert [prediction["error"]["code"] for prediction in document["predictions"]] == ["text-failed"] * 2
    assert "its worker died" in document["predictions"][0]["error"]["detail"]


def test_the_list_shows_the_newest_jobs_first_page_by_page(client: FlaskClient) -> None:
    made = [submit(client, [f"text {number}"]) for number in range(5)]
    shown: list[str] = []
    address: str | None = "/jobs?limit=2"
    while address:
        page = JobList.model_validate_json(client.get(address).data)
        shown += [job.id for job in page.jobs]
        address = page.next
    assert shown == made[::-1]


def test_a_job_that_is_deleted_or_has_expired_leaves_the_list(client: FlaskClient, store: redis.Redis) -> None:
    kept, deleted, expired = (submit(client, ["text"]) for _ in range(3))
    for _ in range(2):  # the first cancels it
        client.delete(f"/jobs/{deleted}")
    store.delete(f"retort:job:{expired}")
    assert [job["id"] for job in client.get("/jobs").get_json()["jobs"]] == [kept]
    assert store.zrange("retort:jobs:", 0, -1) == [kept]


def test_the_list_remembers_a_bounded_number_of_jobs_for_a_bounded_time(
    client: FlaskClient, store: redis.Redis, settings: SharedSettings
) -> None:
    store.zadd("retort:jobs:", {f"old {number}": number for number in range(1500)})
    submit(client, ["text"], deadline_s=60)
    assert store.zcard("retort:jobs:") == 1000
    longest_s = 60 + max(settings.result_ttl_s, settings.dead_letter_ttl_s)
    assert 0 < store.ttl("retort:jobs:") <= longest_s


@pytest.mark.parametrize("query", ["from=-1", "limit=0", "limit=101", "limit=x"])
def test_a_page_that_can_not_be_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/jobs?{query}").status_code == 422
