"""The service as it is run, for tests and benchmarks: Redis, workers and API as real processes, ports of their own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from contract.fleet import WorkerState, WorkerStatus
from contract.settings import SharedSettings
from harness.direct_jobs import DirectJobs
from harness.forks import ForkedProcess
from harness.ports import free_port
from harness.process import ROOT, ServiceProcess
from harness.redis_server import DURABLE, RedisServer
from harness.until import until

READY_S = 180.0


class RunningService(DirectJobs):
    """Started on entry, killed on exit. Jobs go to it over HTTP at `url`, or past its API."""

    forks_workers = False
    """Whether workers of this code begin with what another process has imported, as tests want it."""

    def __init__(
        self,
        models: Path,
        model: str = "tiny",
        *,
        workers: int = 1,
        api: bool = True,
        redis: RedisServer | None = None,
        folder: Path | None = None,
        code: Path = ROOT,
        **settings: Any,
    ) -> None:
        """`redis` is one that runs already, and goes on; `folder` takes the logs, and is a temporary one unless given.

        `code` is the folder of the code that API and workers run: this one, or that of another release.
        `settings` are `RETORT_*` variables without the prefix. Every process gets them.
        """
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="retort-")
        self.folder = folder or Path(self._temporary.name if self._temporary else "")
        self._owns_redis = redis is None
        self.redis = redis or RedisServer(self.folder, *DURABLE)
        self.models = models
        self._code = code
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"redis_url": self.redis.url, "models_dir": models, "model": model, **settings}
        super().__init__(SharedSettings(**given))
        self._given = {"api_bind": f"127.0.0.1:{self.port}", "claims_dir": self.folder / "claims", **given}
        self._workers, self._api = workers, api
        # One for all questions: to make it costs more than to ask. It keeps no connection: tests count them.
        self._http = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
        self._numbers = count()
        self.processes: dict[str, ServiceProcess] = {"redis": self.redis} if self._owns_redis else {}
        """By name: `redis` unless it was given, `api`, `worker-0` and so on."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill what was started, Redis last."""
        for process in reversed(self.processes.values()):
            process.kill()
        self._http.close()
        super().close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def start_worker(self, *, code: Path | None = None, **settings: Any) -> ServiceProcess:
        """Start one more worker; it is not ready yet."""
        name, command = f"worker-{next(self._numbers)}", [sys.executable, "-m", "worker"]
        kind = ForkedProcess if self.forks_workers and (code or self._code) == ROOT else ServiceProcess
        return self.start_process(name, command, kind=kind, code=code, metrics_port=free_port(), **settings)

    def start_api(self, *, code: Path | None = None) -> ServiceProcess:
        """Start the API; it does not answer yet."""
        return self.start_process("api", [sys.executable, "-m", "api"], code=code)

    def start_process(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        kind: type[ServiceProcess] = ServiceProcess,
        code: Path | None = None,
        **settings: Any,
    ) -> ServiceProcess:
        """Start any process with the settings of the service, and with more of its own; `code` as for the service."""
        log, folder = self.folder / f"{name}.log", code or self._code
        process = kind(arguments, log, self.variables(**settings), folder=folder)
        self.processes[name] = process
        process.start()
        return process

    def retire(self, process: ServiceProcess, patience_s: float = 90.0) -> None:
        """Stop a process gently, and forget it."""
        process.terminate(patience_s)
        self.processes = {name: each for name, each in self.processes.items() if each is not process}

    def variables(self, **settings: Any) -> dict[str, str]:
        """The environment variables of a process, with more settings of its own."""
        return {f"RETORT_{name.upper()}": str(value) for name, value in (self._given | settings).items()}

    @property
    def api(self) -> ServiceProcess:
        return self.processes["api"]

    def await_live(self) -> None:
        """Return once the API answers."""
        until(lambda: self._answers_ok("/health/live"), READY_S, what="the API", pause_s=0.05)

    def await_ready(self) -> None:
        """Return once the API says that the service is ready."""
        until(lambda: self._answers_ok("/health/ready"), READY_S, what="the service", pause_s=0.05)

    def status(self, worker: ServiceProcess) -> WorkerStatus | None:
        """The heartbeat of a live worker."""
        return next((status for status in self.fleet.live() if status.pid == worker.pid), None)

    def is_ready(self, worker: ServiceProcess) -> bool:
        status = self.status(worker)
        return status is not None and status.state is WorkerState.READY

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time used by each process and its children so far."""
        return {name: process.cpu_seconds() for name, process in self.processes.items()}

    def metric(self, name: str, worker: int = 0) -> float:
        """A worker's metric without labels."""
        port = self.processes[f"worker-{worker}"].environment["RETORT_METRICS_PORT"]
        families = text_string_to_metric_families(self._http.get(f"http://127.0.0.1:{port}").text)
        return next(sample.value for family in families for sample in family.samples if sample.name == name)

    def _start(self) -> None:
        if self._owns_redis:
            self.redis.start()
        for _ in range(self._workers):
            self.start_worker()
        if self._api:
            self.start_api()
            self.await_ready() if self._workers else self.await_live()

    def _answers_ok(self, path: str) -> bool:
        for name, process in self.processes.items():
            if process.has_ended():
                raise RuntimeError(f"{name} has ended:\n{process.last_lines()}")
        try:
            return self._http.get(f"{self.url}{path}").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False
