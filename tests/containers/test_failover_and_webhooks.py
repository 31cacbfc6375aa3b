"""The profiles `ha` and `webhooks` of docker-compose.yml: any one Redis may die, and each job's end is told."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.api_keys import digest
from harness.tiny_artifact import write_tiny_artifact
from harness.until import until
from harness.webhook_receiver import SECRET
from tests.containers.askers import Askers
from tests.containers.compose import Compose, inside, inspect, metric

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("docker") is None, reason="there is no container engine"),
]
STARTED_S, RECOVERED_S = 300, 120
KEY = "retort-of-tests"
OPTIONS = (
    "-f",
    "docker-compose.yml",
    "-f",
    "tests/containers/receiver.yml",
    "--profile",
    "ha",
    "--profile",
    "webhooks",
)
ADDED = ("redis-2", "sentinel-1", "notifier")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """Two notifiers, three Redis, three Sentinels, and a tiny model: nothing is trained."""
    keys, models = readable(tmp_path_factory.mktemp("keys")), readable(tmp_path_factory.mktemp("models"))
    (keys / "keys.toml").write_text(
        f'[[keys]]\nname = "shop"\nsha256 = "{digest(KEY)}"\nwebhook_secrets = ["{SECRET}"]\n'
        'webhook = "http://receiver:8100/"\n'
    )
    write_tiny_artifact(models, name="default")
    for path in models.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # for the images' own user
    stack = Compose(
        "retort-test-ha",
        *OPTIONS,
        REDIS_URL="redis+sentinel://sentinel-1,sentinel-2,sentinel-3/retort",
        REDIS_REPLICAS="1",
        RETORT_WEBHOOK_PRIVATE_HOSTS="receiver:8100",
        KEYS=str(keys),
        WEBHOOK_SECRET=SECRET,
    )
    stack("build", "api", "worker", "notifier")
    stack("down", "-v")
    try:
        stack("run", "--rm", "-v", f"{models}:/from:ro", "training", "cp", "-r", "/from/default", "/models/")
        stack("up", "-d", "--scale", "notifier=2", "--scale", "training=0")
        until(stack.is_ready, STARTED_S, pause_s=0.2)
        yield stack
    finally:
        stack("down", "-v")


def readable(folder: Path) -> Path:
    """The folder, opened for the user of the containers."""
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    return folder


def primary(stack: Compose) -> str:
    """The Redis that the Sentinels name."""
    (sentinel,) = stack.containers("sentinel-1")
    named = inside(sentinel, "redis-cli", "-p", "26379", "sentinel", "get-master-addr-by-name", "retort")
    return named.stdout.split("\n")[0]


def replicas(stack: Compose, service: str) -> int:
    """The replicas that a primary has; 0 of one that is none."""
    (container,) = stack.containers(service)
    told = inside(container, "sh", "-c", "REDISCLI_AUTH=$(cat /secrets/redis) redis-cli info replication").stdout
    found = re.search(r"role:master\r?\nconnected_slaves:(\d+)", told)
    return int(found[1]) if found else 0


def told_of(stack: Compose) -> set[str]:
    """The jobs whose ends the receiver has heard of."""
    (receiver,) = stack.containers("receiver")
    logs = subprocess.run(["docker", "logs", receiver], check=True, capture_output=True, text=True)
    return set(re.findall(r"told of (\w+)", logs.stdout + logs.stderr))


@pytest.mark.parametrize("service", ADDED)
def test_each_is_an_ordinary_user_without_rights_whose_health_check_passes(stack: Compose, service: str) -> None:
    container = stack.containers(service)[0]
    status = dict(line.split(":\t", 1) for line in inside(container, "cat", "/proc/self/status").stdout.splitlines())
    kind, *command = inspect(container)["Config"]["Healthcheck"]["Test"]

    assert set(status["Uid"].split()) == {"10001"}
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")} == {0}
    assert "Read-only file system" in inside(container, "sh", "-c", ": > /x").stderr
    asked = inside(container, *(["sh", "-c", *command] if kind == "CMD-SHELL" else command))
    assert asked.returncode == 0, asked.stderr


def test_two_notifiers_share_the_webhooks_and_every_job_is_told_of(stack: Compose) -> None:
    notifiers = stack.containers("notifier")
    assert len(notifiers) == 2

    with Askers(stack.url, api_key=KEY, clear=0) as askers:
        sent = "retort_webhook_attempts_total"
        until(lambda: min(metric(one, sent, outcome="delivered") for one in notifiers) > 20, RECOVERED_S, pause_s=0.5)

    assert askers.errors == []
    until(lambda: {job.id for job in askers.jobs} <= told_of(stack), RECOVERED_S, pause_s=0.5)


def test_an_accepted_job_ends_and_the_service_goes_on_when_the_primary_is_killed(stack: Compose) -> None:
    killed = primary(stack)
    until(lambda: replicas(stack, killed) == 2, RECOVERED_S, pause_s=0.5)
    with Askers(stack.url, api_key=KEY, clear=0) as askers:
        until(lambda: len(askers.jobs) > 50, RECOVERED_S, pause_s=0.2)
        subprocess.run(["docker", "kill", *stack.containers(killed)], check=True, capture_output=True)
        until(lambda: primary(stack) not in ("", killed), RECOVERED_S, pause_s=0.2)
        accepted = len(askers.jobs)
        until(lambda: len(askers.jobs) > accepted + 50, RECOVERED_S, pause_s=0.2)
        stack("up", "-d", "--no-deps", killed)
        until(lambda: replicas(stack, primary(stack)) == 2, RECOVERED_S, pause_s=0.5)

    assert askers.errors == []
    assert [job.texts for job in askers.jobs if not askers.is_right(job)] == []
    until(lambda: {job.id for job in askers.jobs} <= told_of(stack), RECOVERED_S, pause_s=0.5)
