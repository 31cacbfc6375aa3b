"""Texts that bring down the process or hang the device: they end as dead letters, and take no other text with them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.dead_letters import DeadLetters
from contract.job_record import JobState
from contract.message import Ticket
from harness.process import ServiceProcess
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.truth import is_right, some_texts
from harness.until import until
from tests.mortal_worker import KILLER, SLEEPER
from worker import dead_letters

PATIENCE_S = 200.0

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def service(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("service")
    write_tiny_artifact(folder)
    with RunningService(
        folder, redis=redis_server, folder=folder, workers=0, api=False,
        precision="float32", device="cpu", cpu_threads=1,
        heartbeat_s=0.3, heartbeat_ttl_s=2, sweep_s=0.5, watchdog_s=1, max_attempts=3,
    ) as service:  # fmt: skip
        service.client.flushall()
        yield service


@pytest.fixture(scope="module")
def worker(service: RunningService) -> ServiceProcess:
    made = service.start_process("mortal-worker", [sys.executable, "-m", "tests.mortal_worker"])
    until(service.fleet.live, PATIENCE_S)
    return made


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("fatal", [KILLER, SLEEPER])
def test_a_fatal_text_becomes_a_dead_letter_and_its_neighbours_are_answered(
    service: RunningService, fatal: str
) -> None:
    before = service.submit(list(some_texts(3)))
    bad = service.submit(["nothing wrong", fatal])
    asked = {service.submit([text]): text for text in some_texts(60)}
    for job_id, text in asked.items():
        assert service.ended(job_id, PATIENCE_S).state is JobState.SUCCEEDED
        assert is_right(service.predictions(job_id)[0], text)
    assert service.ended(before, PATIENCE_S).state is JobState.SUCCEEDED
    assert service.ended(bad, PATIENCE_S).state is JobState.FAILED
    letters = DeadLetters(service.client, service.settings)
    letter = letters.find(Ticket(bad, 0))
    assert letter is not None
    assert letter.texts == ("nothing wrong", fatal)
    assert "died while it ran" in letter.why
    assert letters.tickets() == [Ticket(bad, 0)]
    service.jobs.remove(bad)


def test_dead_letters_can_be_listed_shown_and_sent_again(
    service: RunningService, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RETORT_REDIS_URL", service.settings.redis_url)
    job_id = service.submit(["hello", "world"], send=False)
    chunks = service.chunks("nobody")
    for _ in range(service.settings.max_attempts):
        chunks.lease([Ticket(job_id, 0)])
        chunks.give_up([Ticket(job_id, 0)], "a reason")
    assert dead_letters.main(["list"]) == 0
    assert f"{job_id}/0" in (listed := capsys.readouterr().out)
    assert "a reason" in listed
    assert dead_letters.main(["show", f"{job_id}/0"]) == 0
    assert "'world'" in capsys.readouterr().out
    assert dead_letters.main(["redrive", f"{job_id}/0"]) == 0
    assert dead_letters.main(["redrive", f"{job_id}/0"]) == 1
    assert dead_letters.main(["show", f"{job_id}/0"]) == 1
    service.jobs.remove(job_id)
