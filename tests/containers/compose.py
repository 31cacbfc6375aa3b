"""docker-compose.yml under a real container engine, as a project with containers and volumes of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from harness.ports import free_port

ROOT = Path(__file__).parents[2]
COMMAND = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
READ_METRICS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9100/metrics').read().decode())"


class Compose:
    """`docker-compose ARGUMENTS…` on that project; raises CalledProcessError."""

    def __init__(self, project: str, *options: str, **environment: str) -> None:
        """`options` choose files and profiles; `environment` fills in what the files leave open."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [*COMMAND, "-p", project, *options]
        self._environment = os.environ | {"PORT": str(self.port)} | environment

    def __call__(self, *arguments: str) -> str:
        command = [*self._command, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def containers(self, service: str) -> list[str]:
        return self("ps", "-q", service).split()

    def kill(self, service: str) -> None:
        """SIGKILL to everything in one of the service's containers, from inside: the engine did not ask for it."""
        inside(self.containers(service)[0], "bash", "-c", "kill -9 -1")

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def inside(container: str, *command: str) -> subprocess.CompletedProcess[str]:
    """What came of a command in a running container."""
    return subprocess.run(["docker", "exec", container, *command], capture_output=True, text=True)


def inspect(container: str) -> Mapping[str, Any]:
    shown = subprocess.run(["docker", "inspect", container], check=True, stdout=subprocess.PIPE)
    (found,) = json.loads(shown.stdout)
    return dict(found)


def answered_texts(worker: str) -> float:
    """How many texts a worker's container has answered."""
    return metric(worker, "retort_committed_texts_total")


def metric(container: str, name: str, **labels: str) -> float:
    """What a worker's or a notifier's container says of itself: the sum of the samples that have these labels."""
    families = text_string_to_metric_families(inside(container, "python", "-c", READ_METRICS).stdout)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())
