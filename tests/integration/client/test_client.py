"""The client against the real API behind a real socket, where connections drop and services are busy."""

from __future__ import annotations

import threading
import time
from itertools import islice
from pathlib import Path

import pytest

from api.app import create_app
from api.settings import ApiSettings
from contract import api_keys
from contract.message import Lane
from harness.answering_worker import VERSION, AnsweringWorker
from harness.ports import free_port
from harness.redis_server import RedisServer
from retort_client import (
    BadRequest,
    Busy,
    Client,
    Gone,
    IdempotencyConflict,
    NotFound,
    Prediction,
    ServiceFailed,
    TextError,
    TimedOut,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from tests.integration.client.conftest import Serve
from tests.integration.client.expected import expected
from tests.integration.client.faulty_server import Cut, FaultyServer, Refusal

TEXTS = ["why is my pointer null", "", "héllo ☃ 你好", "x" * 2000]


def jobs_taken(worker: AnsweringWorker) -> set[str]:
    return {ticket.partition("/")[0] for _, tickets in worker.messages for ticket in tickets}


@pytest.mark.usefixtures("worker")
def test_texts_are_answered_in_their_order(client: Client) -> None:
    assert client.predict(TEXTS) == expected(TEXTS)


@pytest.mark.usefixtures("worker")
def test_options_reach_the_model(client: Client) -> None:
    [answer] = client.predict(["a b c"], top_k=2, scores=True)
    assert isinstance(answer, Prediction)
    assert answer.scores is not None
    best = sorted(answer.scores.values(), reverse=True)
    assert [one.score for one in answer.top] == best[:2]
    assert answer.top[0].label == answer.label


@pytest.mark.usefixtures("worker")
def test_a_text_without_words_has_an_error_in_its_place(client: Client) -> None:
    answers = client.predict(["a", " ", "b"])
    assert isinstance(answers[1], TextError)
    assert answers[1].code == "empty-text"
    assert isinstance(answers[2], Prediction)


def test_a_job_that_takes_longer_than_a_request_waits_is_waited_for(
    server: FaultyServer, worker: AnsweringWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retort_client.calls.LONGEST_WAIT_S", 1)
    worker.go.clear()
    threading.Timer(2.5, worker.go.set).start()
    with Client(server.url) as client:
        assert client.predict(["slow"]) == expected(["slow"])
    assert server.requests[0] == "POST /predict"
    assert len(server.requests) >= 3


def test_a_job_that_takes_too_long_goes_on_and_can_be_read_later(server: FaultyServer, worker: AnsweringWorker) -> None:
    worker.go.clear()
    with Client(server.url, timeout_s=1) as hasty, pytest.raises(TimedOut) as raised:
        hasty.predict(["slow"])
    worker.go.set()
    with Client(server.url) as client:
        job = client.job(raised.value.job_id)
        assert job.wait().state == "succeeded"
        assert list(job.results()) == expected(["slow"])


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])
def test_a_dropped_connection_neither_loses_nor_repeats_a_job(
    server: FaultyServer, worker: AnsweringWorker, client: Client, cut: Cut
) -> None:
    server.accidents.extend([cut, cut])
    assert client.predict(TEXTS) == expected(TEXTS)
    assert server.requests == ["POST /predict"] * 3
    assert len(jobs_taken(worker)) == 1
    sent_keys = {headers["IDEMPOTENCY_KEY"] for headers in server.headers}
    assert len(sent_keys) == 1


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("status", ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable"])
def test_retry_after_is_honoured(server: FaultyServer, client: Client, status: str) -> None:
    server.accidents.append(Refusal(status, {"Retry-After": "1"}))
    started = time.monotonic()
    assert client.predict(["a"]) == expected(["a"])
    assert 1.0 <= time.monotonic() - started < 20


def test_a_full_backlog_is_waited_out(serve: Serve, settings: ApiSettings) -> None:
    server = serve(backlog_texts=4)
    with AnsweringWorker(settings) as worker, Client(server.url) as client:
        worker.go.clear()
        first = client.submit(["a", "b", "c"])
        threading.Timer(1.0, worker.go.set).start()
        assert client.predict(["d", "e"]) == expected(["d", "e"])
        assert list(first.results()) == expected(["a", "b", "c"])
    assert server.requests.count("POST /predict") >= 3


def test_a_client_without_time_is_told_that_the_backlog_is_full(serve: Serve) -> None:
    with Client(serve(backlog_texts=1).url, timeout_s=0.5) as client:
        client.submit(["a"])
        with pytest.raises(Busy, match="backlog-full") as raised:
            client.submit(["b"])
    assert raised.value.retry_after_s is not None


def test_a_store_that_comes_back_is_waited_for(tmp_path: Path) -> None:
    store = RedisServer(tmp_path, "--appendonly", "yes")
    store.start()
    app = create_app(ApiSettings(redis_url=store.url))
    with FaultyServer(app) as server, Client(server.url) as client:
        job = client.submit(["a"])
        store.kill()
        threading.Timer(1.0, store.start).start()
        assert job.refresh().state == "queued"
    app.extensions["retort"].close()
    store.kill()


def test_a_store_that_stays_away_is_named(tmp_path: Path) -> None:
    store = RedisServer(tmp_path)
    store.start()
    app = create_app(ApiSettings(redis_url=store.url))
    with FaultyServer(app) as server, Client(server.url, timeout_s=3) as client:
        job = client.submit(["a"])
        store.kill()
        with pytest.raises(ServiceFailed, match="store-unavailable"):
            job.refresh()
    app.extensions["retort"].close()


def test_a_service_that_is_not_there_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url, retries=1) as client, pytest.raises(Unreachable, match=url):
        client.models()


def test_another_service_is_recognized(server: FaultyServer, client: Client) -> None:
    server.accidents.append(Refusal("200 OK"))
    with pytest.raises(UnexpectedReply):
        client.models()


def test_results_come_while_the_job_runs(client: Client, worker: AnsweringWorker) -> None:
    worker.pause_s = 0.02
    texts = [f"question {n}" for n in range(3000)]
    job = client.submit(texts)
    results = job.results()
    first = list(islice(results, 10))
    assert job.refresh().is_open
    assert first + list(results) == expected(texts)
    assert job.refresh().state == "succeeded"
    assert job.status.done == 3000
    assert worker.messages[0][0].endswith(Lane.BULK)


@pytest.mark.usefixtures("worker")
def test_results_survive_dropped_connections(server: FaultyServer, client: Client) -> None:
    texts = [f"question {n}" for n in range(2500)]
    job = client.submit(texts)
    server.accidents.extend([None, Cut.AFTER, Refusal("502 Bad Gateway", {"Retry-After": "0"}), Cut.BEFORE])
    assert list(job.results()) == expected(texts)


@pytest.mark.usefixtures("worker")
def test_results_begin_where_they_are_wanted(client: Client) -> None:
    texts = [f"question {n}" for n in range(1500)]
    assert list(client.submit(texts).results(start=1490)) == expected(texts[1490:])


def test_a_cancelled_job_has_no_results(client: Client, worker: AnsweringWorker) -> None:
    worker.go.clear()
    job = client.submit(["a"])
    job.cancel()
    assert job.refresh().state == "cancelled"
    with pytest.raises(Gone):
        list(job.results())


def test_a_cancellation_whose_answer_is_lost_is_no_error(server: FaultyServer, client: Client) -> None:
    job = client.submit(["a"])
    server.accidents.append(Cut.AFTER)
    job.cancel()
    job.cancel()
    with pytest.raises(Gone):
        job.refresh()


@pytest.mark.usefixtures("worker")
def test_a_key_given_twice_gives_one_job_and_another_request_is_refused(client: Client) -> None:
    first = client.submit(["a"], idempotency_key="k")
    assert client.submit(["a"], idempotency_key="k").id == first.id
    with pytest.raises(IdempotencyConflict, match=first.id):
        client.submit(["b"], idempotency_key="k")


def test_a_bad_request_says_where(client: Client) -> None:
    with pytest.raises(BadRequest) as raised:
        client.predict(["fine", "bad \ud800"], top_k=0)
    assert {fault.where for fault in raised.value.problem.faults} >= {"/texts/1"}
    assert raised.value.problem.request_id


def test_an_unknown_job_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        client.job("a" * 29)


@pytest.mark.usefixtures("worker")
def test_models_are_listed(client: Client) -> None:
    [model] = client.models()
    assert (model.name, model.default, model.workers) == ("default", True, 1)
    with pytest.raises(NotFound):
        client.model("none")


def test_the_key_is_sent_and_its_rate_kept(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(f'[[keys]]\nname = "a"\nsha256 = "{api_keys.digest("secret")}"\nrate_per_s = 2\n')
    server = serve(api_keys_file=file)
    with Client(server.url) as stranger, pytest.raises(Unauthorized):
        stranger.models()
    with Client(server.url, api_key="secret") as client:
        for _ in range(6):
            client.models()
    assert len(server.requests) > 7


@pytest.mark.usefixtures("worker")
def test_threads_share_a_client_and_get_their_own_answers(client: Client) -> None:
    found: dict[str, object] = {}

    def ask(text: str) -> None:
        found[text] = client.predict([text])

    threads = [threading.Thread(target=ask, args=(f"question {n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {f"question {n}": expected([f"question {n}"]) for n in range(20)}


@pytest.mark.usefixtures("worker")
def test_a_job_says_which_version_answered(client: Client) -> None:
    assert client.submit(["a"]).wait().version == VERSION
