"""The service under test: parts that can be killed or stopped, and that come back as under a process manager."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, cast

import psutil

from benchmarks.service import Service
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_store import JobStore
from contract.redis_client import connect
from contract.settings import SharedSettings

DRAIN_S = 30.0


class Nursery:
    """The process that forks workers; see nursery.py."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.chaos.nursery"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def fork(self, log: Path) -> int:
        """The process id of a new worker."""
        print(log, file=self._process.stdin, flush=True)
        return int(cast("IO[str]", self._process.stdout).readline())

    def close(self) -> None:
        self._process.communicate()


class Stack(Service):
    """Redis, an API and workers."""

    def __init__(self, models: Path, model: str, *, workers: int, **settings: object) -> None:
        super().__init__(models, model, workers=workers, **settings)  # type: ignore[arg-type]
        self.models, self.model = models, model
        self.workers: dict[int, int] = {}
        """Process ids by the workers' numbers."""
        shared = SharedSettings(redis_url=self.redis_url, model=model, models_dir=models)
        self.redis = connect(shared)
        self.jobs = JobStore(self.redis, shared)
        self.fleet = Fleet(self.redis, shared)
        self._nursery: Nursery | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in self.workers:
            self.signal_worker(number, signal.SIGCONT)
            self.signal_worker(number, signal.SIGTERM)
        psutil.wait_procs(self._worker_processes(), DRAIN_S)
        for number in self.workers:
            self.signal_worker(number, signal.SIGKILL)
        if self._nursery is not None:
            self._nursery.close()
        super().__exit__(kind, error, trace)

    def start_worker(self, number: int = 0) -> None:
        if self._nursery is None:
            self._nursery = Nursery(self._environment)
        self.workers[number] = self._nursery.fork(self.folder / f"worker-{number}.log")

    def signal_worker(self, number: int, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.workers[number], what)

    def kill_worker(self, number: int) -> None:
        """SIGKILL; another takes its place at once."""
        self.signal_worker(number, signal.SIGKILL)
        self.start_worker(number)

    def kill_redis(self, down_s: float) -> None:
        """SIGKILL, and a restart from the append-only file after so many seconds."""
        self.processes["redis"].kill()
        self.processes["redis"].wait()
        time.sleep(down_s)
        self.start_redis()

    def kill_api(self) -> None:
        """SIGKILL to gunicorn and its processes; another takes its place at once."""
        process = self.processes["api"]
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        process.wait()
        psutil.wait_procs(children, DRAIN_S)
        self.start_api()

    def drain_worker(self, number: int) -> None:
        """SIGTERM, and another once it has gone."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.workers[number])
            self.signal_worker(number, signal.SIGTERM)
            process.wait(DRAIN_S)
        self.start_worker(number)

    def statuses(self) -> list[WorkerStatus]:
        """The heartbeats of the workers that run and are ready."""
        pids = set(self.workers.values())
        return [each for each in self.fleet.live() if each.pid in pids and each.state is WorkerState.READY]

    def _worker_processes(self) -> list[psutil.Process]:
        found = []
        for pid in self.workers.values():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found
