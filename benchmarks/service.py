"""A whole service for a measurement: Redis, workers and API as real processes on ports of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psutil
import redis
from prometheus_client.parser import text_string_to_metric_families

from local.ports import free_port
from local.redis_server import executable

READY_S = 180


class Service:
    """Started on entry, stopped on exit. `settings` are more `RETORT_*` variables, without the prefix."""

    def __init__(
        self, models: Path, model: str, *, workers: int = 1, appendfsync: str = "always", **settings: object
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="retort-bench-")
        self.folder = Path(self._folder.name)
        self.redis_port, self.api_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api_port}"
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}/0"
        self._appendfsync = appendfsync
        self._workers = workers
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._metrics_ports: dict[int, int] = {}
        more = {f"RETORT_{name.upper()}": str(value) for name, value in settings.items()}
        self._environment: Mapping[str, str] = os.environ | {
            "RETORT_REDIS_URL": self.redis_url,
            "RETORT_MODELS_DIR": str(models),
            "RETORT_MODEL": model,
            "RETORT_API_BIND": f"127.0.0.1:{self.api_port}",
            "RETORT_CLAIMS_DIR": str(self.folder / "claims"),
            **more,
        }

    def __enter__(self) -> Self:
        self.start_redis()
        for number in range(self._workers):
            self.start_worker(number)
        self.start_api()
        self.await_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in sorted(self.processes, key=lambda name: name == "redis"):
            self.processes[name].terminate()
            self.processes[name].wait(30)
        self._folder.cleanup()

    def start_redis(self) -> None:
        options = {"port": self.redis_port, "bind": "127.0.0.1", "dir": self.folder, "save": "", "appendonly": "yes",
                   "appendfsync": self._appendfsync, "maxmemory-policy": "noeviction"}  # fmt: skip
        command = [executable()]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        self._start("redis", command)
        client = redis.Redis.from_url(self.redis_url)
        self._until(lambda: client.ping(), "Redis")

    def start_worker(self, number: int = 0) -> None:
        port = self._metrics_ports.setdefault(number, free_port())
        self._start(f"worker-{number}", [sys.executable, "-m", "worker"], RETORT_METRICS_PORT=str(port))

    def start_api(self) -> None:
        self._start("api", [sys.executable, "-m", "api"])

    def await_ready(self) -> None:
        """Return once the API says that the service is ready, with all its workers."""
        self._until(self._is_ready, "the service")

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time used by each process and its children so far."""
        return {name: _cpu_seconds(psutil.Process(process.pid)) for name, process in self.processes.items()}

    def metric(self, name: str, worker: int = 0) -> float:
        """A worker's metric without labels."""
        families = text_string_to_metric_families(httpx.get(f"http://127.0.0.1:{self._metrics_ports[worker]}").text)
        return next(sample.value for family in families for sample in family.samples if sample.name == name)

    def log(self, name: str) -> str:
        """The end of what a process has written."""
        return "\n".join((self.folder / f"{name}.log").read_text(encoding="utf-8").splitlines()[-30:])

    def _start(self, name: str, command: list[str], **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, env={**self._environment, **environment}, stdout=log, stderr=log
            )

    def _is_ready(self) -> bool:
        for name, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} has ended:\n{self.log(name)}")
        answer = httpx.get(f"{self.url}/health/ready")
        return answer.status_code == httpx.codes.OK

    def _until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + READY_S
        while True:
            try:
                if condition():
                    return
            except (redis.RedisError, httpx.HTTPError):
                pass
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} is not ready after {READY_S} s")
            time.sleep(0.05)


def _cpu_seconds(process: psutil.Process) -> float:
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        times = each.cpu_times()
        total += times.user + times.system
    return total
