"""`make demo` without the training: a tiny model is published already."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from harness.ports import free_port
from harness.tiny_artifact import write_tiny_artifact
from harness.until import until
from local.demo import QUESTIONS

ROOT = Path(__file__).parents[2]
RECOVERY_S = 60

pytestmark = pytest.mark.timeout(400)


class Local:
    """`python -m local`, with folders and a port of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self._environment = os.environ | environment
        self._environment |= {"RUN": str(folder / "run"), "RETORT_MODELS_DIR": str(folder / "models")}
        self._environment |= {"RETORT_CLAIMS_DIR": str(folder / "claims"), "COLUMNS": "200"}

    def __call__(self, command: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "local", command],
            cwd=ROOT,
            env=self._environment | {"PORT": str(port or self.port)},
            capture_output=True,
            text=True,
        )

    def pids(self) -> dict[str, int]:
        """The processes that run."""
        lines = [line.replace(",", "").split() for line in self("status").stdout.splitlines() if "pid" in line]
        return {line[0]: int(line[3]) for line in lines}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    folder = tmp_path_factory.mktemp("demo")
    write_tiny_artifact(folder / "models", name="default")
    local = Local(folder)
    first = local("demo")
    assert first.returncode == 0, first.stdout + first.stderr
    yield local
    assert local("down").returncode == 0


def test_it_asks_its_questions_and_prints_the_answers(demo: Local) -> None:
    again = demo("demo")

    assert again.returncode == 0
    for question in QUESTIONS:
        assert question in again.stdout
    assert again.stdout.count("%") == 2 * 3


def test_it_ends_in_the_page_and_then_the_command_line_and_says_nothing_of_other_programs(demo: Local) -> None:
    again = demo("demo")

    said = again.stdout + again.stderr
    page, command = said.index(f"http://127.0.0.1:{demo.port}/"), said.index(".venv/bin/retort predict")
    assert page < command
    assert not re.search(
        r"tensorflow|onednn|openvino|cuda|absl|^[IWE]\d{4} |^WARNING", said, re.IGNORECASE | re.MULTILINE
    )


def test_running_it_again_starts_nothing_again(demo: Local) -> None:
    before = demo.pids()
    demo("demo")

    assert set(before) == {"api", "worker", "redis"}
    assert demo.pids() == before


def test_another_port_is_refused_while_it_runs(demo: Local) -> None:
    elsewhere = demo("demo", port=free_port())

    assert elsewhere.returncode == 1
    assert f"runs already, on port {demo.port}" in elsewhere.stdout


@pytest.mark.parametrize("name", ["worker", "api", "redis"])
def test_what_is_killed_comes_back_and_answers(demo: Local, name: str) -> None:
    killed = demo.pids()[name]
    os.kill(killed, signal.SIGKILL)

    until(lambda: demo.pids().get(name, killed) != killed, RECOVERY_S, what=f"another {name}")
    answered = demo("demo")

    assert answered.returncode == 0, answered.stdout


def test_a_port_that_another_program_holds_is_named(tmp_path: Path, demo: Local) -> None:
    write_tiny_artifact(tmp_path / "models", name="default")
    second = Local(tmp_path)(command="demo", port=demo.port)

    assert second.returncode == 1
    assert f"port {demo.port} is taken" in second.stdout


def test_what_does_not_start_shows_why(tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path / "models", name="default")
    broken = Local(tmp_path, RETORT_PRECISION="float17")

    failed = broken("demo")

    assert failed.returncode == 1
    assert "worker does not start" in failed.stdout
    assert "RETORT_PRECISION" in failed.stdout
    assert broken("status").returncode == 1
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{broken.port}/health/live")


def test_down_leaves_nothing_running(demo: Local) -> None:
    pids = demo.pids().values()

    assert demo("down").returncode == 0

    assert not [pid for pid in pids if psutil.pid_exists(pid)]
