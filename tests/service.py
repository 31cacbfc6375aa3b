"""The service without its API, for tests and benchmarks: a Redis, a folder of models, worker processes, a sender."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from celery import Celery

from contract.celery_config import celery_config
from contract.chunk_store import ChunkStore
from contract.fleet import Fleet, WorkerState, WorkerStatus
from contract.job_record import JobStatus, NewJob
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import TASK, Lane, Ticket, pack, queue_name
from contract.prediction import Options
from contract.redis_client import connect
from contract.settings import SharedSettings

ROOT = Path(__file__).parents[1]
ROOMY = Bounds(texts=10_000_000, bytes=10_000_000_000)


def until(condition: Callable[[], Any], patience_s: float = 60.0, pause_s: float = 0.01) -> Any:
    """The first true value of `condition`. Raises AssertionError when it does not come in time."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come to be in {patience_s} s")
        time.sleep(pause_s)
    return value


class Process:
    """A process of the service, which may be killed and started again. Its log is appended to `log`."""

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], log: Path) -> None:
        self._arguments = arguments
        self._environment = environment
        self.log = log
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                self._arguments, cwd=ROOT, env=os.environ | self._environment, stdout=log, stderr=log
            )
        self.pid = self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self._process.kill()
        self._process.wait()

    def terminate(self, patience_s: float = 60.0) -> int:
        """SIGTERM, and the exit status."""
        self._process.terminate()
        return self._process.wait(patience_s)

    def has_ended(self) -> bool:
        return self._process.poll() is not None


class Service:
    """What an API process would do, and the handles that a test needs to look and to disturb."""

    def __init__(self, redis_url: str, models: Path, logs: Path, model: str = "tiny", **settings: Any) -> None:
        """`settings` are those of contract.settings.SharedSettings or the worker's, which every worker gets too."""
        self.models = models
        self._logs = logs
        given = {"redis_url": redis_url, "models_dir": models, "model": model, **settings}
        self._environment = {f"RETORT_{name.upper()}": str(value) for name, value in given.items()}
        self.settings = SharedSettings(**given)
        self.client = connect(self.settings)
        self.jobs = JobStore(self.client, self.settings)
        self.fleet = Fleet(self.client, self.settings)
        self._celery = Celery("retort", config_source=celery_config(self.settings), set_as_current=False)
        self._processes: list[Process] = []

    def worker(self, **settings: Any) -> Process:
        """Start a worker process; it is not ready yet."""
        return self.process([sys.executable, "-m", "worker"], **settings)

    def process(self, arguments: Sequence[str], **settings: Any) -> Process:
        """Start any other process with the same settings."""
        own = {f"RETORT_{name.upper()}": str(value) for name, value in settings.items()}
        log = self._logs / f"process-{len(self._processes)}.log"
        process = Process(arguments, {**self._environment, **own}, log)
        self._processes.append(process)
        return process

    def chunks(self, worker: str) -> ChunkStore:
        """What a worker of this name could do."""
        return ChunkStore(self.client, self.settings, worker)

    def status(self, worker: Process) -> WorkerStatus | None:
        """The heartbeat of a live worker."""
        return next((status for status in self.fleet.live() if status.pid == worker.pid), None)

    def is_ready(self, worker: Process) -> bool:
        status = self.status(worker)
        return status is not None and status.state is WorkerState.READY

    def new_job(self, texts: Sequence[str], lane: Lane = Lane.INTERACTIVE, deadline_s: float = 600) -> NewJob:
        job_id = self.jobs.new_id(self.jobs.now_ms())
        return NewJob(job_id, self.settings.model, lane, texts, int(deadline_s * 1000), Options(scores=True))

    def submit(self, texts: Sequence[str], lane: Lane = Lane.INTERACTIVE, *, send: bool = True, **more: Any) -> str:
        """The id of a new job whose tickets are on their way, unless `send` is false."""
        job = self.new_job(texts, lane, **more)
        [admitted] = self.jobs.submit([(job, ROOMY)])
        assert isinstance(admitted, Admitted)
        if send:
            self.send(admitted.tickets, lane)
        return job.id

    def send(self, tickets: Sequence[Ticket], lane: Lane) -> None:
        for ticket in tickets:
            queue = queue_name(self.settings.model, lane)
            self._celery.send_task(TASK, args=[pack([ticket])], queue=queue, ignore_result=True)

    def ended(self, job_id: str, patience_s: float = 60.0) -> JobStatus:
        """The job once it has ended."""
        until(lambda: not self.jobs.status(job_id).state.is_open, patience_s)
        return self.jobs.status(job_id)

    def predictions(self, job_id: str) -> list[dict[str, Any]]:
        """The answers to the job's texts, in their order."""
        chunks = range(self.jobs.status(job_id).chunks)
        return [answer for result in self._results(job_id, chunks) for answer in result["predictions"]]

    def versions(self, job_id: str) -> set[str]:
        """The model versions that answered."""
        return {result["version"] for result in self._results(job_id, range(self.jobs.status(job_id).chunks))}

    def _results(self, job_id: str, chunks: Sequence[int]) -> Iterator[dict[str, Any]]:
        for stored in self.jobs.results(job_id, chunks):
            assert stored is not None
            yield json.loads(stored)

    def close(self) -> None:
        for process in self._processes:
            if not process.has_ended():
                process.send_signal(signal.SIGCONT)
                process.kill()
        self._celery.close()
        self.client.close()
