"""The notifier as a real process: what ends a job is told of, over failures, kills and lost messages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from flask import Flask

from api.app import create_app
from api.settings import ApiSettings
from contract.api_keys import digest
from contract.redis_client import connect
from contract.webhooks import QUEUE, WebhookLedger
from harness.answering_worker import AnsweringWorker
from harness.one_name import OneName
from harness.process import ServiceProcess
from harness.redis_server import RedisServer
from harness.until import until
from harness.webhook_receiver import SECRET, ReceivedWebhook, WebhookReceiver, answering
from notifier import dead_letters

KEYS = f"""
[[keys]]
name = "shop"
sha256 = "{digest("shop's key")}"
webhook_secrets = ["{SECRET}"]

[[keys]]
name = "desk"
sha256 = "{digest("desk's key")}"
webhook_secrets = ["whsec_b3RoZXIgc2VjcmV0IG9mIHRlc3RzLCBhbmQgdGVzdHMgb25seQ==", "{SECRET}"]
webhook = "%s"
"""
NOBODY = "http://127.0.0.1:9/"


class Stack:
    """API and worker in this process, Redis and the notifier as processes."""

    def __init__(self, folder: Path, redis: RedisServer | OneName, receiver: WebhookReceiver) -> None:
        self.receiver = receiver
        keys = folder / "keys.toml"
        keys.write_text(KEYS % receiver.url)
        self.settings = ApiSettings(
            redis_url=redis.url, api_keys_file=keys, webhook_private_hosts=f"{receiver.host},127.0.0.1:9"
        )
        self.environment = {
            "RETORT_REDIS_URL": redis.url,
            "RETORT_API_KEYS_FILE": str(keys),
            "RETORT_WEBHOOK_PRIVATE_HOSTS": receiver.host,
            "RETORT_WEBHOOK_FIRST_PAUSE_S": "0.1",
            "RETORT_WEBHOOK_TIMEOUT_S": "3",
            "RETORT_SWEEP_S": "0.2",
        }
        self.store = connect(self.settings)
        self.ledger = WebhookLedger(self.store, self.settings)
        self.app: Flask = create_app(self.settings)
        self.notifier = ServiceProcess([sys.executable, "-m", "notifier"], folder / "notifier.log", self.environment)

    def ask(self, key: str = "shop's key", **asked: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return self.app.test_client().post("/predict?wait=20", json={"texts": ["one", "two"], **asked}, headers=headers)

    def job(self, key: str = "shop's key", **asked: Any) -> str:
        """The id of a job that has ended."""
        answer = self.ask(key, **asked)
        assert answer.status_code == 200, answer.text
        assert answer.get_json()["status"] == "succeeded"
        return str(answer.get_json()["id"])

    def told(self, job_id: str, times: int = 1) -> list[ReceivedWebhook]:
        """What the receiver got of a job, once it got it so often."""

        def enough() -> list[ReceivedWebhook]:
            assert not self.notifier.has_ended(), self.notifier.last_lines()
            found = self.receiver.of(job_id)
            return found if len(found) >= times else []

        found: list[ReceivedWebhook] = until(enough, 60, what=f"{times} webhooks of {job_id}")
        return found

    def nothing_owed(self) -> None:
        until(lambda: self.ledger.count_owed() == 0, 60, what="the end of all webhooks")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("notifier")
    with RedisServer(folder) as redis, WebhookReceiver() as receiver:
        stack = Stack(folder, redis, receiver)
        stack.notifier.start()
        with AnsweringWorker(stack.settings):
            context = stack.app.extensions["retort"]
            context.fleet.refresh()
            yield stack
        context.close()
        stack.notifier.kill()


@pytest.fixture(autouse=True)
def willing(stack: Stack) -> None:
    stack.receiver.behaviour = answering(204)


@pytest.fixture
def connected() -> Iterator[list[object]]:
    """The addresses that this process has connected to since."""
    found: list[object] = []
    is_over = Event()

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not is_over.is_set():
            found.append(arguments[1])

    sys.addaudithook(note)
    yield found
    is_over.set()


def test_the_end_of_a_job_is_told_once_signed_and_says_what_the_job_says(stack: Stack) -> None:
    job_id = stack.job(webhook=stack.receiver.url)
    [told] = stack.told(job_id)
    stack.nothing_owed()
    assert (told.id, told.event["type"]) == (f"{job_id}-1", "job.succeeded")
    assert told.event["data"]["progress"] == {"texts": 2, "done": 2, "errors": 0}
    assert [each.id for each in stack.receiver.of(job_id)] == [told.id]
    assert stack.receiver.unverified == 0


def test_neither_the_api_nor_what_ends_a_job_connects_to_anything_but_redis(
    stack: Stack, connected: list[object]
) -> None:
    stack.app.extensions["retort"].store.connection_pool.disconnect(inuse_connections=False)
    job_id = stack.job(webhook=stack.receiver.url)
    stack.app.test_client().get("/metrics")
    stack.told(job_id)
    assert set(connected) == {("127.0.0.1", stack.store.connection_pool.connection_kwargs["port"])}


def test_a_key_has_one_of_its_own_which_a_request_goes_before(stack: Stack) -> None:
    of_key, of_request = stack.job("desk's key"), stack.job("desk's key", webhook=f"{stack.receiver.url}/2")
    stack.told(of_key)
    stack.told(of_request)
    stack.nothing_owed()
    assert (len(stack.receiver.of(of_key)), len(stack.receiver.of(of_request))) == (1, 1)


def test_a_receiver_that_fails_is_told_again_until_it_takes_it(stack: Stack) -> None:
    statuses = iter([500, 302, 404, 429])
    stack.receiver.behaviour = lambda each, request: answering(next(statuses, 200))(each, request)
    job_id = stack.job(webhook=stack.receiver.url)
    told = stack.told(job_id, times=5)
    stack.nothing_owed()
    assert {each.id for each in told} == {f"{job_id}-1"}
    assert [each.event for each in told] == [told[0].event] * 5
    assert len(stack.receiver.of(job_id)) == 5


def test_what_a_killed_notifier_was_at_is_told_by_the_next_one(stack: Stack) -> None:
    held, killed = Event(), Event()

    def hold(_: ReceivedWebhook, request: BaseHTTPRequestHandler) -> None:
        held.set()
        killed.wait(60)
        request.close_connection = True

    stack.receiver.behaviour = hold
    job_id = stack.job(webhook=stack.receiver.url)
    assert held.wait(60)
    stack.notifier.kill()
    killed.set()
    stack.receiver.behaviour = answering(204)
    lost = stack.job(webhook=stack.receiver.url)
    stack.store.delete(QUEUE)

    stack.notifier.start()
    assert {each.id for each in stack.told(job_id, times=2)} == {f"{job_id}-1"}
    stack.told(lost)
    stack.nothing_owed()


def test_a_receiver_that_wants_no_more_gets_no_more(stack: Stack) -> None:
    stack.receiver.behaviour = answering(410)
    address = f"{stack.receiver.url}/gone"
    first = stack.job(webhook=address)
    stack.told(first)
    stack.nothing_owed()
    second = stack.job(webhook=address)
    stack.nothing_owed()
    assert stack.receiver.of(second) == []
    assert address in stack.ledger.disabled()


def test_what_the_notifiers_settings_forbid_is_a_dead_letter_to_list_and_to_try_anew(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    job_id = stack.job(webhook=NOBODY)
    until(lambda: stack.ledger.count_dead(), 60, what="a dead letter")
    assert dead_letters.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert job_id in listed
    assert "no webhooks are sent to 127.0.0.1, port 9" in listed

    assert dead_letters.main(["redrive", job_id]) == 0
    assert capsys.readouterr().out == "1 of 1 are tried anew\n"
    until(lambda: stack.ledger.count_dead(), 60, what="its second end")
    assert dead_letters.main(["redrive", "no-job"]) == 1


def test_an_address_that_was_disabled_is_listed_and_can_be_enabled(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETORT_REDIS_URL", stack.environment["RETORT_REDIS_URL"])
    stack.receiver.behaviour = answering(410)
    address = f"{stack.receiver.url}/gone-for-now"
    stack.job(webhook=address)
    stack.nothing_owed()
    dead_letters.main(["disabled"])
    assert address in capsys.readouterr().out
    dead_letters.main(["enable", address])
    assert capsys.readouterr().out == "enabled for 1 keys\n"
    dead_letters.main(["disabled"])
    assert address not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("key", "address", "why"),
    [
        ("shop's key", "http://169.254.169.254/latest/meta-data/", "no webhooks are sent to 169.254.169.254, port 80"),
        ("shop's key", "https://user@127.0.0.1:9/", "an address is https://HOST/PATH"),
        ("shop's key", "", "at least 1 character"),
    ],
)
def test_an_address_that_nothing_may_be_sent_to_is_refused_with_the_reason(
    stack: Stack, key: str, address: str, why: str
) -> None:
    refused = stack.ask(key, webhook=address)
    assert refused.status_code == 422
    [error] = refused.get_json()["errors"]
    assert error["pointer"] == "/webhook"
    assert why in error["detail"]


def test_a_notifier_ends_when_it_is_told_to(stack: Stack) -> None:
    assert stack.notifier.terminate() == 0
    stack.notifier.start()


def test_a_notifier_goes_on_with_the_primary_that_the_name_leads_to_now(tmp_path: Path) -> None:
    with OneName(tmp_path / "servers") as redis, WebhookReceiver() as receiver:
        came, failed_over = Event(), Event()

        def hold(each: ReceivedWebhook, request: BaseHTTPRequestHandler) -> None:
            came.set()
            assert failed_over.wait(30)
            answering(204)(each, request)

        receiver.behaviour = hold
        stack = Stack(tmp_path, redis, receiver)
        stack.notifier = ServiceProcess(
            [sys.executable, "-m", "notifier"],
            tmp_path / "notifier.log",
            stack.environment | {"RETORT_WEBHOOK_CONNECTIONS": "1", "RETORT_WEBHOOK_TIMEOUT_S": "30"},
        )
        stack.notifier.start()
        try:
            first = _job_without_worker(stack)
            assert came.wait(30)  # a notifier that is at work does not wait for a message at the same time
            redis.fail_over()
            failed_over.set()
            stack.told(first)
            stack.told(until(lambda: _job_without_worker(stack), 20))
        finally:
            stack.app.extensions["retort"].close()
            stack.notifier.kill()


def _job_without_worker(stack: Stack) -> str:
    """The id of a job that was cancelled; none while Redis does not take it."""
    headers = {"Authorization": "Bearer shop's key", "Prefer": "respond-async"}
    client = stack.app.test_client()
    answer = client.post("/predict", json={"texts": ["one"], "webhook": stack.receiver.url}, headers=headers)
    if answer.status_code != 202:
        return ""
    job_id = str(answer.get_json()["id"])
    client.delete(f"/jobs/{job_id}", headers=headers)
    return job_id
