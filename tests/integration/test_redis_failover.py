"""The primary of a group of Redis servers dies or stops, a replica takes its place, and nothing accepted is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from contract.celery_config import celery_config
from contract.chunk_store import ChunkStore
from contract.errors import StoreUnavailable
from contract.job_record import Commit, JobState
from contract.job_store import WAKE_CHANNEL
from contract.message import Ticket
from contract.redis_client import connect
from contract.settings import SharedSettings
from harness.direct_jobs import DirectJobs
from harness.one_name import OneName
from harness.process import ServiceProcess
from harness.redis_group import RedisGroup
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.tiny_artifact import write_tiny_artifact
from harness.until import until
from tests.steady_load import PATIENCE_S, ROOMY, disturb

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisGroup]:
    with RedisGroup(tmp_path_factory.mktemp("group")) as group:
        yield group


@pytest.fixture(scope="module")
def service(group: RedisGroup, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder: Path = tmp_path_factory.mktemp("service")
    write_tiny_artifact(folder)
    with RunningService(
        folder, redis=group.servers[0], redis_url=group.url, redis_replicas=1, folder=folder, api=False,
        precision="float32", device="cpu", heartbeat_s=0.5, sweep_s=0.5,
    ) as service:  # fmt: skip
        yield service


@pytest.fixture(scope="module")
def worker(service: RunningService) -> ServiceProcess:
    worker = service.processes["worker-0"]
    until(lambda: service.is_ready(worker), PATIENCE_S)
    return worker


def test_a_primary_that_dies_loses_no_accepted_job(
    group: RedisGroup, service: RunningService, worker: ServiceProcess
) -> None:
    def kill() -> None:
        before = group.primary()
        before.kill()
        group.await_failover(before)
        before.start()

    disturb(service, worker, kill)
    group.await_whole()


def test_a_primary_that_stops_and_comes_back_takes_nothing_more(
    group: RedisGroup, service: RunningService, worker: ServiceProcess
) -> None:
    def stop() -> None:
        before = group.primary()
        before.pause()
        group.await_failover(before)
        before.resume()

    disturb(service, worker, stop)
    group.await_whole()


def test_a_reply_that_came_too_late_answers_nothing_else(group: RedisGroup) -> None:
    client = connect(SharedSettings(redis_url=group.url), max_connections=1)
    client.connection_pool.connection_kwargs["socket_timeout"] = 0.2
    client.set("asked", "right")
    with pytest.raises(redis.TimeoutError):
        client.blpop(["nothing comes here"], timeout=0.3)
    assert client.get("asked") == "right"
    client.close()


class Alone:
    """A primary whose one replica can be stopped."""

    def __init__(self, folder: Path) -> None:
        (folder / "replica").mkdir(parents=True)
        self.server, self.replica = RedisServer(folder), RedisServer(folder / "replica")
        for server in (self.server, self.replica):
            server.start()
        redis.Redis(port=self.replica.port).replicaof("127.0.0.1", self.server.port)
        self.settings = SharedSettings(redis_url=self.server.url, redis_replicas=1)
        self.direct = DirectJobs(self.settings)
        until(lambda: self.direct.client.info("replication").get("slave0", {}).get("state") == "online")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    alone = Alone(tmp_path / "alone")
    yield alone
    alone.direct.close()
    alone.replica.kill()
    alone.server.kill()


def test_a_job_that_too_few_replicas_have_is_not_accepted(alone: Alone) -> None:
    job = alone.direct.new_job(["a text"])
    alone.replica.pause()
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        alone.direct.jobs.submit([(job, ROOMY)])
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):  # the job is there; the replica still lacks it
        alone.direct.jobs.submit([(job, ROOMY)])
    alone.replica.resume()
    until(lambda: _succeeds(lambda: alone.direct.jobs.submit([(job, ROOMY)])), 20)


def test_nobody_is_woken_for_a_result_that_too_few_replicas_have(alone: Alone) -> None:
    job_id = alone.direct.submit(["a text"], send=False)
    chunks = ChunkStore(alone.direct.client, alone.settings, worker="w")
    ticket = Ticket(job_id, 0)
    chunks.lease([ticket])
    heard = alone.direct.client.pubsub()  # type: ignore[no-untyped-call]
    heard.subscribe(WAKE_CHANNEL)
    assert heard.get_message(timeout=5)["type"] == "subscribe"
    alone.replica.pause()
    commit = Commit(ticket=ticket, version="v1", result='{"version":"v1","predictions":[]}', errors=0)
    with pytest.raises(StoreUnavailable, match="0 of 1 replicas"):
        chunks.commit([commit])
    assert alone.direct.jobs.status(job_id).state is JobState.SUCCEEDED
    assert heard.get_message(timeout=0.1) is None
    alone.replica.resume()
    until(lambda: _succeeds(lambda: chunks.commit([commit])), 20)
    assert heard.get_message(timeout=5)["data"] == job_id
    heard.close()


def test_what_has_become_a_replica_is_not_asked_twice_over_one_connection(alone: Alone) -> None:
    pool = alone.direct.client.connection_pool
    job = alone.direct.new_job(["a text"])
    before = pool.get_connection()
    pool.release(before)
    redis.Redis(port=alone.replica.port).replicaof("NO", "ONE")
    redis.Redis(port=alone.server.port).replicaof("127.0.0.1", alone.replica.port)
    with pytest.raises(StoreUnavailable, match="READONLY"):
        alone.direct.jobs.submit([(job, ROOMY)])
    assert not before.is_connected


@pytest.fixture
def one_name(tmp_path: Path) -> Iterator[OneName]:
    with OneName(tmp_path / "servers") as one_name:
        yield one_name


def test_a_message_goes_to_the_primary_that_the_name_leads_to_now(one_name: OneName) -> None:
    settings = SharedSettings(redis_url=one_name.url)
    with Celery("some", config_source=celery_config(settings), set_as_current=False) as celery:
        celery.send_task("some.task", queue="some")
        one_name.fail_over()
        celery.send_task("some.task", queue="some")
    assert redis.Redis(port=one_name.servers[1].port).llen("some") == 2


def test_a_failover_behind_one_name_loses_no_accepted_job(one_name: OneName, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path)
    with RunningService(
        tmp_path, redis=one_name.servers[0], redis_url=one_name.url, redis_replicas=1, folder=tmp_path, api=False,
        precision="float32", device="cpu", heartbeat_s=0.5, sweep_s=0.5,
    ) as service:  # fmt: skip
        worker = service.processes["worker-0"]
        until(lambda: service.is_ready(worker), PATIENCE_S)
        disturb(service, worker, one_name.fail_over)


def _succeeds(action: Callable[[], object]) -> bool:
    try:
        action()
    except StoreUnavailable:
        return False
    return True
