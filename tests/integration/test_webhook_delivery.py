"""One attempt after the other at one webhook: what the network is asked, and what is owed then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import redis

from contract.api_keys import Keys, digest
from contract.job_record import NewJob, Webhook
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import Lane
from contract.webhook_hosts import WebhookTarget
from contract.webhooks import WebhookLedger
from harness.redis_server import RedisServer
from harness.webhook_receiver import SECRET
from notifier.addresses import Resolver
from notifier.deadline import AttemptFailed, Deadline
from notifier.delivery import LONGEST_MESSAGE_S, WebhookDelivery
from notifier.settings import NotifierSettings

URL = "https://hooks.example.com/x"
Answer = Callable[[], int]


class Rig:
    """A job that has ended, a made-up resolver, and a network that notes what it is asked."""

    def __init__(self, store: redis.Redis, url: str, keys: Path) -> None:
        self.settings = NotifierSettings(redis_url=url, webhook_hosts="hooks.example.com")
        self.store = store
        self.ledger = WebhookLedger(store, self.settings)
        self.looked_up: list[str] = []
        self.names: list[list[str]] = []
        """What the name stands for, look by look; the last for ever."""
        self.sent: list[tuple[str, Sequence[str]]] = []
        """Host and addresses of each connection."""
        self.answer: Answer = lambda: 204
        self.keys = keys
        self.jobs = JobStore(store, self.settings)

    def ended(self, address: str = URL) -> str:
        job = NewJob(
            id=self.jobs.new_id(1), model="m", lane=Lane.BULK, texts=["a"], deadline_in_ms=60_000,
            webhook=Webhook(address, "shop", "the message"),
        )  # fmt: skip
        assert isinstance(self.jobs.submit([(job, Bounds(10, 1000))])[0], Admitted)
        self.jobs.remove(job.id)
        return job.id

    def attempt(self, job_id: str, resolver: Resolver | None = None, **settings: float) -> float | None:
        changed = self.settings.model_copy(update=settings)
        delivery = WebhookDelivery(
            ledger=self.ledger,
            keys=Keys(self.keys),
            resolver=resolver or Resolver(1, self._look),
            post=self._post,
            settings=changed,
            hosts=changed.webhooks_allowed,
        )
        self.store.hset(f"retort:webhook:{job_id}", "due", 0)
        return delivery.attempt(job_id)

    def why(self) -> str:
        [dead] = self.ledger.dead()
        return dead.why

    def _look(self, host: str, _port: int) -> Sequence[str]:
        self.looked_up.append(host)
        return self.names.pop(0) if len(self.names) > 1 else self.names[0]

    def _post(
        self, target: WebhookTarget, addresses: Sequence[str], _headers: Mapping[str, str], _body: bytes, _by: Deadline
    ) -> int:
        self.sent.append((target.host, addresses))
        return self.answer()


@pytest.fixture
def rig(store: redis.Redis, redis_server: RedisServer, tmp_path: Path) -> Rig:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[[keys]]\nname = "shop"\nsha256 = "{digest("k")}"\nwebhook_secrets = ["{SECRET}"]\n')
    rig = Rig(store, redis_server.url, keys)
    rig.names = [["8.8.8.8"]]
    return rig


def test_a_name_that_is_bound_anew_between_look_and_connection_gains_nothing(rig: Rig) -> None:
    rig.names = [["8.8.8.8", "169.254.169.254"], ["127.0.0.1"]]
    first, second = rig.ended(), rig.ended()
    rig.attempt(first)
    assert (rig.looked_up, rig.sent) == (["hooks.example.com"], [("hooks.example.com", ["8.8.8.8"])])
    rig.attempt(second)
    assert len(rig.sent) == 1
    assert rig.why() == "hooks.example.com is 127.0.0.1, where no webhook is sent"


def test_a_host_that_is_allowed_no_more_gets_nothing_that_was_owed_before(rig: Rig) -> None:
    job_id = rig.ended("https://once.example.com/")
    rig.attempt(job_id)
    assert (rig.looked_up, rig.sent) == ([], [])
    assert "no webhooks are sent to once.example.com" in rig.why()


def test_without_a_secret_nothing_is_sent_until_there_is_one_again(rig: Rig) -> None:
    job_id, text = rig.ended(), rig.keys.read_text()
    rig.keys.write_text(text.replace("shop", "another"))
    assert rig.attempt(job_id) is not None
    assert rig.sent == []
    rig.keys.write_text(text)
    rig.attempt(job_id)
    assert (len(rig.sent), rig.ledger.count_owed()) == (1, 0)


def test_short_pauses_are_celerys_and_long_ones_a_sweeps(rig: Rig) -> None:
    rig.answer = lambda: 500
    job_id = rig.ended()
    pauses = [rig.attempt(job_id) for _ in range(5)]
    assert all(pause is not None and pause < LONGEST_MESSAGE_S for pause in pauses[:3])
    assert pauses[3:] == [None, None]
    assert rig.ledger.count_owed() == 1


def test_one_that_is_a_day_old_is_given_up_and_says_why(rig: Rig) -> None:
    rig.answer = lambda: 503
    job_id = rig.ended()
    rig.attempt(job_id)
    rig.attempt(job_id, webhook_give_up_s=0.001)
    assert rig.why() == "given up after 2 attempts: its receiver answered 503"


@pytest.mark.parametrize("fault", [AttemptFailed("no answer in time"), RuntimeError("a fault of ours")])
def test_whatever_fails_it_is_tried_again_and_has_an_end(
    rig: Rig, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> int:
        raise fault

    rig.answer = fail
    job_id = rig.ended()
    with caplog.at_level(logging.ERROR):
        assert rig.attempt(job_id) is not None
    assert ("a fault of ours" in caplog.text) == isinstance(fault, RuntimeError)
    rig.attempt(job_id, webhook_give_up_s=0.001)
    assert rig.ledger.count_dead() == 1


def test_a_name_that_no_resolver_takes_is_a_failed_attempt(rig: Rig) -> None:
    rig.settings = rig.settings.model_copy(update={"webhook_hosts": "*.example.org"})
    job_id = rig.ended(f"https://{'a' * 64}.example.org/")
    assert rig.attempt(job_id, Resolver(1)) is not None
    assert rig.sent == []
