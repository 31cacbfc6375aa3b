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
from typing import IO, Any, Self, cast

import psutil

from contract.fleet import WorkerState, WorkerStatus
from harness.guardian import guardian
from harness.running_service import RunningService

DRAIN_S = 30.0


class Nursery:
    """The process that forks workers; see nursery.py."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.chaos.nursery"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )  # fmt: skip
        guardian().watch(self._process.pid)

    def fork(self, log: Path) -> int:
        """The process id of a new worker."""
        print(log, file=self._process.stdin, flush=True)
        return int(cast("IO[str]", self._process.stdout).readline())

    def close(self) -> None:
        self._process.communicate()
        guardian().forget(self._process.pid)


class Stack(RunningService):
    """A running service whose workers are forked, so that a killed one is back soon."""

    def __init__(self, models: Path, model: str, *, workers: int, **settings: Any) -> None:
        super().__init__(models, model, workers=0, **settings)
        self._number = workers
        self.workers: dict[int, int] = {}
        """Process ids by the workers' numbers."""
        self._nursery: Nursery | None = None

    def __enter__(self) -> Self:
        super().__enter__()
        self._nursery = Nursery(os.environ | self.variables())
        for number in range(self._number):
            self._fork_worker(number)
        self.await_ready()
        return self

    def close(self) -> None:
        for number in self.workers:
            self.signal_worker(number, signal.SIGCONT)
            self.signal_worker(number, signal.SIGTERM)
        psutil.wait_procs(self._worker_processes(), DRAIN_S)
        for number in self.workers:
            self.signal_worker(number, signal.SIGKILL)
        if self._nursery is not None:
            self._nursery.close()
        super().close()

    def signal_worker(self, number: int, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.workers[number], what)

    def kill_worker(self, number: int) -> None:
        """SIGKILL; another takes its place at once."""
        self.signal_worker(number, signal.SIGKILL)
        self._fork_worker(number)

    def kill_redis(self, down_s: float) -> None:
        """SIGKILL, and a restart from the append-only file after so many seconds."""
        self.redis.kill()
        time.sleep(down_s)
        self.redis.start()

    def kill_api(self) -> None:
        """SIGKILL to gunicorn and its processes; another takes its place at once."""
        self.api.kill()
        self.api.start()

    def drain_worker(self, number: int) -> None:
        """SIGTERM, and another once it has gone."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.workers[number])
            self.signal_worker(number, signal.SIGTERM)
            process.wait(DRAIN_S)
        self._fork_worker(number)

    def statuses(self) -> list[WorkerStatus]:
        """The heartbeats of the workers that run and are ready."""
        pids = set(self.workers.values())
        return [each for each in self.fleet.live() if each.pid in pids and each.state is WorkerState.READY]

    def ended_processes(self) -> list[str]:
        """Names of those that were not told to end and have."""
        ended = [name for name, process in self.processes.items() if process.has_ended()]
        return ended + [f"worker-{number}" for number, pid in self.workers.items() if not psutil.pid_exists(pid)]

    def _fork_worker(self, number: int) -> None:
        if self._nursery is not None:
            self.workers[number] = self._nursery.fork(self.folder / f"worker-{number}.log")

    def _worker_processes(self) -> list[psutil.Process]:
        found = []
        for pid in self.workers.values():
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found
