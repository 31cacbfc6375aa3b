"""Whole workers on a slow link to Redis, and without file descriptors when their connections are cut."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import psutil
import pytest

from contract.fleet import WorkerState
from contract.job_record import JobState
from contract.message import Lane
from harness.link import Link
from harness.process import ServiceProcess
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.truth import is_right, some_texts
from harness.until import until
from worker.loops import EXIT_CODE

DELAY_S = 0.2
PATIENCE_S = 120.0
pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Two workers, 200 ms from their Redis each way."""
    folder = tmp_path_factory.mktemp("trouble")
    write_tiny_artifact(folder)
    with (
        RedisServer(folder) as redis,
        Link(redis.port, DELAY_S) as link,
        RunningService(
            folder, redis=redis, folder=folder, workers=0, api=False, precision="float32", device="cpu", cpu_threads=1
        ) as service,
    ):
        workers = [service.start_worker(redis_url=f"redis://127.0.0.1:{link.port}/0") for _ in range(2)]
        for worker in workers:
            until(lambda worker=worker: service.is_ready(worker), PATIENCE_S)  # type: ignore[misc]
        yield service


def workers(service: RunningService) -> list[ServiceProcess]:
    return [process for name, process in service.processes.items() if name.startswith("worker-")]


def check(service: RunningService, job_id: str, texts: list[str]) -> None:
    assert service.ended(job_id, PATIENCE_S).state is JobState.SUCCEEDED
    answers = service.predictions(job_id)
    assert [text for text, answer in zip(texts, answers, strict=True) if not is_right(answer, text)] == []


def test_a_link_with_delay_costs_time_and_nothing_else(service: RunningService) -> None:
    asked = {service.submit([text]): [text] for text in some_texts(50)}
    long = list(some_texts(1000, seed=1))
    asked[service.submit(long, Lane.BULK)] = long
    for job_id, texts in asked.items():
        check(service, job_id, texts)
    assert [worker.has_ended() for worker in workers(service)] == [False, False]
    assert {status.state for status in service.fleet.live()} == {WorkerState.READY}


@pytest.mark.skipif(sys.platform != "linux", reason="bounds the descriptors of a running process")
def test_a_worker_without_descriptors_ends_itself_when_its_connections_are_cut_and_another_does_its_work(
    service: RunningService,
) -> None:
    victim, other = workers(service)
    texts = list(some_texts(1000, seed=2))
    job_id = service.submit(texts, Lane.BULK)
    until(lambda: service.jobs.status(job_id).done > 0, PATIENCE_S)
    if sys.platform == "linux":  # others are skipped, and their psutil does not know it
        psutil.Process(victim.pid).rlimit(psutil.RLIMIT_NOFILE, (3, 3))
    for kind in ("normal", "pubsub"):
        service.client.client_kill_filter(_type=kind, skipme=True)
    assert victim.wait(PATIENCE_S) == EXIT_CODE
    check(service, job_id, texts)
    assert not other.has_ended()
    until(lambda: [status.pid for status in service.fleet.live()] == [other.pid], PATIENCE_S)
