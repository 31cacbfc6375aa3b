"""docker-compose build and up on empty volumes, and what breaks it. Takes minutes, and needs a container engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest

from harness.until import until
from retort_client import Client, Prediction
from tests.containers.askers import Askers
from tests.containers.compose import Compose, answered_texts, inside, inspect

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("docker") is None, reason="there is no container engine"),
]
TRAINED_S, RECOVERED_S = 900, 120
RUNNING = ("redis", "api", "worker")
COMPILERS = re.compile(r"/(?:gcc|cc|c\+\+|g\+\+|clang|ld|as|make|libclang[\w.-]*|uv)$")


@pytest.fixture(scope="module")
def stack() -> Iterator[Compose]:
    stack = Compose("retort-test")
    stack("build")
    stack("down", "-v")
    try:
        stack("up", "-d")
        until(stack.is_ready, TRAINED_S, pause_s=0.2)
        yield stack
    finally:
        stack("down", "-v")


def test_an_empty_volume_is_trained_and_served(stack: Compose) -> None:
    with Client(stack.url) as client:
        (answer,) = client.predict(["how do I undo my last commit"])

    assert isinstance(answer, Prediction)
    assert answer.label == "git"


@pytest.mark.parametrize("service", RUNNING)
def test_a_container_is_an_ordinary_user_without_rights_on_a_root_that_it_cannot_write(
    stack: Compose, service: str
) -> None:
    (container,) = stack.containers(service)
    status = dict(line.split(":\t", 1) for line in inside(container, "cat", "/proc/self/status").stdout.splitlines())

    assert set(status["Uid"].split()) == {"10001"}
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")} == {0}
    assert status["NoNewPrivs"] == "1"
    assert "Read-only file system" in inside(container, "bash", "-c", ": > /x").stderr
    assert "Read-only file system" in inside(container, "bash", "-c", ": > /usr/bin/x").stderr


@pytest.mark.parametrize("service", ["api", "worker"])
def test_an_image_holds_nothing_to_compile_with(stack: Compose, service: str) -> None:
    (container,) = stack.containers(service)

    files = inside(container, "bash", "-c", "compgen -c; find /venv /app -type f").stdout.splitlines()

    assert len(files) > 1000
    assert [file for file in files if COMPILERS.search(f"/{file}")] == []


def test_nobody_outside_reaches_redis(stack: Compose) -> None:
    (container,) = stack.containers("redis")

    assert not any(inspect(container)["NetworkSettings"]["Ports"].values())
    assert "NOAUTH" in inside(container, "redis-cli", "ping").stdout


@pytest.mark.parametrize("service", RUNNING)
def test_a_health_check_passes(stack: Compose, service: str) -> None:
    (container,) = stack.containers(service)
    kind, *command = inspect(container)["Config"]["Healthcheck"]["Test"]

    asked = inside(container, *(["sh", "-c", *command] if kind == "CMD-SHELL" else command))

    assert asked.returncode == 0, asked.stderr


def test_two_workers_share_the_load(stack: Compose) -> None:
    stack("up", "-d", "--scale", "worker=2")
    workers = stack.containers("worker")
    assert len(workers) == 2

    with Askers(stack.url):
        until(lambda: min(map(answered_texts, workers)) > 100, RECOVERED_S, pause_s=0.2)


FAULTS: Mapping[str, Callable[[Compose], object]] = {
    "a worker is killed": lambda stack: stack.kill("worker"),
    "the API is killed": lambda stack: stack.kill("api"),
    "Redis is killed": lambda stack: stack.kill("redis"),
    "Redis is restarted": lambda stack: stack("restart", "redis"),
    "all is taken down and up": lambda stack: (stack("down"), stack("up", "-d", "--scale", "worker=2")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_accepted_job_is_lost_when(fault: str, stack: Compose) -> None:
    with Askers(stack.url) as askers:
        until(lambda: len(askers.jobs) > 50, RECOVERED_S, pause_s=0.2)
        FAULTS[fault](stack)
        accepted = len(askers.jobs)
        until(lambda: len(askers.jobs) > accepted + 50, RECOVERED_S, pause_s=0.2)

    assert askers.errors == []
    assert [job.texts for job in askers.jobs if not askers.is_right(job)] == []


def test_what_was_killed_is_running_again(stack: Compose) -> None:
    for service, number in {"redis": 1, "api": 1, "worker": 2}.items():
        containers = stack.containers(service)
        assert len(containers) == number
        assert all(inspect(container)["State"]["Running"] for container in containers)
