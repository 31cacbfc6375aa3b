"""Redis is killed, stopped, cut off and filled up, while a worker process works and afterwards goes on as it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from contract.chunk_store import ChunkStore
from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import Commit, JobState, Lease, NewJob
from contract.job_store import Admitted, JobStore
from contract.message import Lane
from contract.redis_client import Script
from contract.settings import SharedSettings
from harness.process import ServiceProcess
from harness.redis_server import DURABLE, RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.truth import some_texts
from harness.until import until
from tests.steady_load import PATIENCE_S, ROOMY, disturb

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("durable-redis"), *DURABLE) as server:
        yield server


@pytest.fixture(scope="module")
def service(server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("service")
    write_tiny_artifact(folder)
    with RunningService(
        folder, redis=server, folder=folder, api=False,
        precision="float32", device="cpu", heartbeat_s=0.5, sweep_s=0.5,
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def worker(service: RunningService) -> ServiceProcess:
    worker = service.processes["worker-0"]
    until(lambda: service.is_ready(worker), PATIENCE_S)
    return worker


def test_a_redis_that_is_killed_and_restarted_loses_no_accepted_job(
    service: RunningService, worker: ServiceProcess, server: RedisServer
) -> None:
    def restart() -> None:
        for pause_s in (0.0, 0.3, 2.0):
            server.kill()
            time.sleep(pause_s)
            server.start()
            time.sleep(0.5)

    disturb(service, worker, restart)


def test_a_redis_that_does_not_answer_for_longer_than_heartbeats_live_costs_no_attempt(
    service: RunningService, worker: ServiceProcess, server: RedisServer
) -> None:
    def stop() -> None:
        server.pause()
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            service.jobs.now_ms()
        assert time.monotonic() - started < 10
        time.sleep(service.settings.heartbeat_ttl_s + 1)
        server.resume()

    disturb(service, worker, stop)
    assert service.jobs.totals().get("dead_letters", 0) == 0


def test_connections_that_are_cut_are_made_again(service: RunningService, worker: ServiceProcess) -> None:
    def cut() -> None:
        for _ in range(20):
            service.client.client_kill_filter(_type="normal", skipme=True)
            service.client.client_kill_filter(_type="pubsub", skipme=True)
            time.sleep(0.1)

    disturb(service, worker, cut)


def test_full_memory_stops_new_jobs_and_finishes_the_old_ones(service: RunningService, worker: ServiceProcess) -> None:
    waiting = service.submit(list(some_texts(3000, seed=1)), Lane.BULK)

    def fill() -> None:
        service.client.config_set("maxmemory", 1_000_000)
        [refused] = service.jobs.submit([(service.new_job(["a"]), ROOMY)])
        assert isinstance(refused, StoreUnavailable)
        assert service.ended(waiting).state is JobState.SUCCEEDED
        time.sleep(service.settings.heartbeat_ttl_s + 1)
        assert service.is_ready(worker)
        service.client.config_set("maxmemory", 0)

    disturb(service, worker, fill)


@pytest.fixture
def jobs(store: redis.Redis, settings: SharedSettings) -> JobStore:
    return JobStore(store, settings)


@pytest.fixture
def full(store: redis.Redis) -> Iterator[Callable[[], None]]:
    def fill() -> None:
        store.config_set("maxmemory", 1)

    yield fill
    store.config_set("maxmemory", 0)


def test_when_memory_is_full_every_transition_of_an_admitted_job_is_possible(
    jobs: JobStore, store: redis.Redis, settings: SharedSettings, full: Callable[[], None]
) -> None:
    chunks, fleet = ChunkStore(store, settings, worker="w"), Fleet(store, settings)
    made = [
        NewJob(id=jobs.new_id(n), model="m", lane=Lane.BULK, texts=["a"] * 130, deadline_in_ms=60_000) for n in range(2)
    ]
    made += [NewJob(id=jobs.new_id(2), model="m", lane=Lane.BULK, texts=["a"], deadline_in_ms=0)]
    admitted = jobs.submit([(job, ROOMY) for job in made])
    first, second, third = ([*admission.tickets] for admission in admitted if isinstance(admission, Admitted))
    full()
    fleet.beat(WorkerStatus(id="w", host="h", pid=1, state=WorkerState.READY, device="cpu", model="m"))
    assert [status.id for status in fleet.live()] == ["w"]
    assert all(isinstance(answer, Lease) for answer in chunks.lease(first))
    commits = [Commit(ticket=ticket, version="v1", result="{}", errors=0) for ticket in first]
    assert chunks.commit(commits) == [True] * 3
    assert chunks.commit(commits) == [False] * 3
    assert jobs.status(first[0].job_id).state is JobState.SUCCEEDED
    chunks.lease(second)
    chunks.start(second[0])
    assert len(chunks.give_back(second)) == 3
    assert jobs.remove(second[0].job_id) == "cancelled"
    assert jobs.expire(third[0].job_id)
    assert Script(store, "lock")("m", "w", 1000) == 1
    fleet.leave("w")


def test_when_memory_is_full_a_new_job_leaves_no_trace(
    jobs: JobStore, store: redis.Redis, full: Callable[[], None]
) -> None:
    job = NewJob(
        id=jobs.new_id(0),
        model="m",
        lane=Lane.BULK,
        texts=["a"] * 130,
        deadline_in_ms=60_000,
        idempotency_key="k",
        digest="d",
    )
    before = sorted(store.keys())
    full()
    [refused] = jobs.submit([(job, ROOMY)])
    assert isinstance(refused, StoreUnavailable)
    assert sorted(store.keys()) == before


def test_a_last_part_of_the_memory_is_kept_from_new_jobs(jobs: JobStore, store: redis.Redis) -> None:
    used = int(store.info("memory")["used_memory"])
    job = NewJob(id=jobs.new_id(0), model="m", lane=Lane.BULK, texts=["a"], deadline_in_ms=60_000)
    try:
        store.config_set("maxmemory", int(used / 0.95))
        assert isinstance(jobs.submit([(job, ROOMY)])[0], StoreUnavailable)
        store.config_set("maxmemory", 2 * used)
        assert isinstance(jobs.submit([(job, ROOMY)])[0], Admitted)
    finally:
        store.config_set("maxmemory", 0)
