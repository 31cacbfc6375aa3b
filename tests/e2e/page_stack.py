"""The service around the page: a Redis, the API as a process that can be killed, and a worker that is quick."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx

from contract.chunk_store import ChunkStore
from contract.fleet import Fleet, WorkerStatus
from contract.job_record import Lease
from contract.job_store import JobStore
from contract.message import Lane, Ticket
from contract.redis_client import connect
from contract.settings import SharedSettings
from harness.answering_worker import AnsweringWorker
from harness.ports import free_port
from harness.process import ROOT
from harness.redis_server import RedisServer
from harness.until import until


class PageStack:
    """One API process, which lasts, and for each test an empty Redis and a worker of its own."""

    def __init__(self, redis: RedisServer, log: Path, models: Path, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = log
        variables = {"REDIS_URL": redis.url, "API_BIND": f"127.0.0.1:{self.port}", "MODELS_DIR": models, **settings}
        self._environment = {f"RETORT_{name.upper()}": str(value) for name, value in variables.items()}
        self.settings = SharedSettings(redis_url=redis.url)
        self._client = connect(self.settings)
        self._jobs = JobStore(self._client, self.settings)
        self.worker = AnsweringWorker(self.settings, texts_per_s=1000)
        self._client.flushall()
        self.start()

    @contextmanager
    def serving(self) -> Iterator[Self]:
        """As after a first start, with a worker that answers at once; ends when nobody asks any more."""
        self._client.flushall()
        if self._api.poll() is not None:
            self.start()
        self.worker = AnsweringWorker(self.settings, texts_per_s=1000)
        with self.worker:
            yield self
            if self._api.poll() is None:
                until(lambda: in_flight(self.url) <= 1, 30, what="the last request to end")

    def start(self) -> None:
        """Start the API and wait until it answers."""
        with self._log.open("ab") as log:
            self._api = subprocess.Popen(
                [sys.executable, "-m", "api"], cwd=ROOT, env=os.environ | self._environment, stdout=log, stderr=log
            )
        until(self._answers, 90, pause_s=0.05, what="the API")

    def kill(self) -> None:
        """SIGKILL to the API."""
        self._api.kill()
        self._api.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def predicted(self) -> int:
        """Texts that a worker has answered, however often."""
        return sum(self._jobs.backlog("default", lane).drained for lane in Lane)

    def accepted_jobs(self) -> int:
        return self._jobs.totals().get("accepted", 0)

    def beat(self, status: WorkerStatus) -> None:
        """As if such a worker lived."""
        Fleet(self._client, self.settings).beat(status)

    def give_up(self, job_id: str) -> None:
        """As if a worker had failed on the job's first chunk for the last time."""
        chunks = ChunkStore(self._client, self.settings.model_copy(update={"max_attempts": 1}), worker="other")
        ticket = Ticket(job_id, 0)
        assert isinstance(chunks.lease([ticket])[0], Lease)
        assert chunks.give_up([ticket], "the device is lost") == []

    def open_jobs(self) -> int:
        return self._jobs.open_jobs()

    def wait_for_predicted(self, texts: int) -> None:
        until(lambda: self.predicted() >= texts, 120, pause_s=0.02)

    def close(self) -> None:
        self.kill()
        self._client.close()


def in_flight(url: str) -> float:
    """Requests that the API is answering, this one included."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("retort_http_requests_in_flight "))
