"""Jobs past the API: what an API process would do, for tests and benchmarks of what lies behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from celery import Celery

from contract.celery_config import celery_config
from contract.chunk_store import ChunkStore
from contract.fleet import Fleet
from contract.job_record import JobStatus, NewJob
from contract.job_store import Admitted, Bounds, JobStore
from contract.message import TASK, Lane, Ticket, pack, queue_name
from contract.prediction import Options
from contract.redis_client import connect
from contract.settings import SharedSettings
from harness.until import until

ROOMY = Bounds(texts=10_000_000, bytes=10_000_000_000)


class DirectJobs:
    """Submits jobs, sends their tickets and reads their answers, with the handles to look and to disturb."""

    def __init__(self, settings: SharedSettings) -> None:
        self.settings = settings
        self.client = connect(settings)
        self.jobs = JobStore(self.client, settings)
        self.fleet = Fleet(self.client, settings)
        self._celery = Celery("retort", config_source=celery_config(settings), set_as_current=False)

    def close(self) -> None:
        self._celery.close()
        self.client.close()

    def chunks(self, worker: str) -> ChunkStore:
        """What a worker of this name could do."""
        return ChunkStore(self.client, self.settings, worker=worker)

    def new_job(
        self,
        texts: Sequence[str],
        lane: Lane = Lane.INTERACTIVE,
        *,
        model: str | None = None,
        deadline_s: float = 600,
    ) -> NewJob:
        """A job for `model`, or for the default one."""
        job_id = self.jobs.new_id(self.jobs.now_ms())
        return NewJob(
            id=job_id,
            model=model or self.settings.default_model,
            lane=lane,
            texts=texts,
            deadline_in_ms=int(deadline_s * 1000),
            options=Options(scores=True),
        )

    def submit(self, texts: Sequence[str], lane: Lane = Lane.INTERACTIVE, *, send: bool = True, **more: Any) -> str:
        """The id of a new job whose tickets are on their way, unless `send` is false."""
        job = self.new_job(texts, lane, **more)
        [admitted] = self.jobs.submit([(job, ROOMY)])
        if not isinstance(admitted, Admitted):
            raise RuntimeError(f"not admitted: {admitted}")
        if send:
            self.send(admitted.tickets, lane, job.model)
        return job.id

    def send(self, tickets: Sequence[Ticket], lane: Lane, model: str | None = None) -> None:
        for ticket in tickets:
            self.send_message(pack([ticket]), lane, model)

    def send_message(self, message: dict[str, Any], lane: Lane, model: str | None = None) -> None:
        """Send the argument of a task, whatever it holds, to the queue of `model`, or of the default one."""
        queue = queue_name(model or self.settings.default_model, lane)
        self._celery.send_task(TASK, args=[message], queue=queue, ignore_result=True)

    def ended(self, job_id: str, patience_s: float = 60.0) -> JobStatus:
        """The job once it has ended."""
        until(lambda: not self.jobs.status(job_id).state.is_open, patience_s, what=f"the end of job {job_id}")
        return self.jobs.status(job_id)

    def predictions(self, job_id: str) -> list[dict[str, Any]]:
        """The answers to the job's texts, in their order."""
        return [answer for result in self._results(job_id) for answer in result["predictions"]]

    def versions(self, job_id: str) -> set[str]:
        """The model versions that answered."""
        return {result["version"] for result in self._results(job_id)}

    def _results(self, job_id: str) -> Iterator[dict[str, Any]]:
        for stored in self.jobs.results(job_id, range(self.jobs.status(job_id).chunks)):
            if stored is None:
                raise LookupError(f"job {job_id} lacks results")
            yield json.loads(stored)
