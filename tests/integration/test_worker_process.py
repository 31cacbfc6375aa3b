"""Real worker processes on the tiny model and a real Redis, killed, stopped and drained at bad moments."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.fleet import WorkerState
from contract.job_record import JobState
from contract.message import Lane, Ticket, queue_name
from harness.artifact import point_current_to
from harness.process import ServiceProcess
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.truth import is_right, some_texts
from harness.until import until
from worker.queueing.queued_message import tickets_of

V1, V2 = "20260101t000000-000001", "20260102t000000-000002"
SEEDS = {V1: 1, V2: 2}
QUICK: dict[str, Any] = {
    "heartbeat_s": 0.3,
    "heartbeat_ttl_s": 1.5,
    "sweep_s": 0.5,
    "reload_s": 0.2,
    "precision": "float32",
    "device": "cpu",
    "cpu_threads": 1,
}
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def service(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("service")
    for version, seed in SEEDS.items():
        write_tiny_artifact(folder, version=version, seed=seed, current=version == V1)
    with RunningService(folder, redis=server, folder=folder, workers=0, api=False, **QUICK) as service:
        yield service


@pytest.fixture(scope="module")
def spares(service: RunningService) -> list[ServiceProcess]:
    """Workers that tests may kill, started together, for TensorFlow takes seconds to import."""
    made = [service.start_worker() for _ in range(3)]
    for worker in made:
        until(lambda worker=worker: service.is_ready(worker), PATIENCE_S)  # type: ignore[misc]
    for worker in made:
        worker.pause()
    until(lambda: not service.fleet.live())
    return made


@pytest.fixture(scope="module")
def worker(service: RunningService, spares: list[ServiceProcess]) -> ServiceProcess:
    """The one that stays."""
    return wake(service, spares.pop())


def wake(service: RunningService, worker: ServiceProcess) -> ServiceProcess:
    worker.resume()
    until(lambda: service.is_ready(worker), PATIENCE_S)
    return worker


def check(service: RunningService, job_id: str, texts: list[str]) -> None:
    status = service.ended(job_id, PATIENCE_S)
    assert status.state is JobState.SUCCEEDED
    [version] = service.versions(job_id)
    answers = service.predictions(job_id)
    wrong = [text for text, answer in zip(texts, answers, strict=True) if not is_right(answer, text, SEEDS[version])]
    assert wrong == []


@pytest.mark.usefixtures("worker")
def test_each_of_300_questions_asked_at_once_gets_its_own_answer(service: RunningService) -> None:
    asked = {service.submit([text]): [text] for text in [*some_texts(298), "", " "]}
    for job_id, texts in asked.items():
        check(service, job_id, texts)


@pytest.mark.usefixtures("worker")
def test_a_long_job_is_answered_in_order(service: RunningService) -> None:
    texts = list(some_texts(1000, seed=1))
    check(service, service.submit(texts, Lane.BULK), texts)


@pytest.mark.usefixtures("worker")
def test_a_lost_message_is_sent_again(service: RunningService) -> None:
    job_id = service.submit(["why is my code throwing"], send=False)
    check(service, job_id, ["why is my code throwing"])


@pytest.mark.usefixtures("worker")
def test_a_message_sent_twice_is_answered_once(service: RunningService) -> None:
    job_id = service.submit(["a"])
    for _ in range(5):
        service.send([Ticket(job_id, 0)], Lane.INTERACTIVE)
    check(service, job_id, ["a"])


def test_a_new_version_takes_over_under_load_and_a_rollback_brings_the_old_one_back(
    service: RunningService, worker: ServiceProcess
) -> None:
    for version in (V2, V1):
        point_current_to(service.models, "tiny", version)
        asked: dict[str, list[str]] = {}
        while (status := service.status(worker)) is None or status.version != version:
            texts = list(some_texts(3, seed=len(asked)))
            asked[service.submit(texts)] = texts
        for job_id, texts in asked.items():
            check(service, job_id, texts)
        last = service.submit(["hello"])
        check(service, last, ["hello"])
        assert service.versions(last) == {version}


def test_a_corrupt_version_is_refused_while_the_old_one_serves(service: RunningService, worker: ServiceProcess) -> None:
    bad = "20260103t000000-000003"
    folder = write_tiny_artifact(service.models, version=bad, seed=3, current=False)
    (folder / "weights.safetensors").write_bytes(b"half of it")
    point_current_to(service.models, "tiny", bad)
    refused = until(lambda: (status := service.status(worker)) and status.refused)
    assert "sha256" in refused[bad]
    job_id = service.submit(["hello"])
    check(service, job_id, ["hello"])
    point_current_to(service.models, "tiny", V1)


def test_work_of_a_killed_worker_is_finished_by_another(
    service: RunningService, spares: list[ServiceProcess], worker: ServiceProcess
) -> None:
    victim = wake(service, spares.pop())
    for each in (worker, victim):  # or it may have answered all before this process looks again
        each.pause()
    asked = {service.submit([text], Lane.BULK): [text] for text in some_texts(200, seed=4)}
    big = list(some_texts(2000, seed=5))
    asked[service.submit(big, Lane.BULK)] = big
    victim.resume()
    until(lambda: service.client.keys("retort:leased:*"))
    victim.kill()
    worker.resume()
    killed = time.monotonic()
    for job_id, texts in asked.items():
        check(service, job_id, texts)
    assert time.monotonic() - killed < 30
    until(lambda: len(service.client.zrange("retort:workers", 0, -1)) == len(service.fleet.live()))


def test_a_worker_that_drains_gives_back_what_it_has_not_begun(
    service: RunningService, spares: list[ServiceProcess], worker: ServiceProcess
) -> None:
    drained = wake(service, spares.pop())
    worker.pause()
    until(lambda: len(service.fleet.live()) == 1)
    texts = list(some_texts(20_000, seed=6))
    drained.pause()  # or it may be through with them as soon as the last message is sent
    job_id = service.submit(texts, Lane.BULK)
    drained.resume()
    until(lambda: service.jobs.status(job_id).done > 0)
    assert drained.terminate() == 0
    assert service.client.keys("retort:leased:*") == []
    assert service.jobs.status(job_id).state is JobState.RUNNING
    waiting = {Ticket.parse(str(name)) for name in service.client.zrange("retort:queued:tiny", 0, -1)}
    messages = service.client.lrange(queue_name("tiny", Lane.BULK), 0, -1)
    assert {ticket for message in messages for ticket in tickets_of(str(message))} == waiting
    worker.resume()
    check(service, job_id, texts)


def test_a_stopped_worker_is_replaced_and_does_no_harm_when_it_goes_on(
    service: RunningService, worker: ServiceProcess
) -> None:
    other = service.start_worker()
    until(lambda: service.is_ready(other), PATIENCE_S)
    for _ in range(2):
        texts = list(some_texts(3000, seed=7))
        job_id = service.submit(texts, Lane.BULK)
        until(lambda: service.jobs.status(job_id).done > 0)  # noqa: B023
        worker.pause()
        check(service, job_id, texts)
        worker.resume()
        until(lambda: service.is_ready(worker))
    other.terminate()
    assert service.client.keys("retort:leased:*") == []


def test_a_worker_without_a_model_waits_and_serves_the_first_that_is_published(
    server: RedisServer, tmp_path: Path
) -> None:
    with RunningService(tmp_path, "late", redis=server, folder=tmp_path, api=False, **QUICK) as service:
        worker = service.processes["worker-0"]
        waiting = until(lambda: service.status(worker), PATIENCE_S)
        assert waiting.state is WorkerState.WAITING_FOR_MODEL
        job_id = service.submit(["hello"])
        write_tiny_artifact(tmp_path, name="late", version=V1, seed=SEEDS[V1])
        check(service, job_id, ["hello"])


def test_nothing_is_left_in_redis_but_the_jobs_themselves(service: RunningService) -> None:
    for key in service.client.keys("retort:job:*"):
        service.jobs.remove(str(key).removeprefix("retort:job:"))
    left = {str(key) for key in service.client.keys("retort:*")}
    constant = {"retort:totals", "retort:id-key", "retort:workers", "retort:served"}
    constant |= {"retort:backlog:tiny", "retort:backlog:late"}
    assert {key for key in left - constant if not key.startswith(("retort:worker:", "retort:sweeper:"))} == set()
    for lane in Lane:
        backlog = service.jobs.backlog("tiny", lane)
        assert (backlog.texts, backlog.bytes) == (0, 0)
