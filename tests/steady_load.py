"""A steady load on a worker, while something is done to what it leans on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from contract.errors import StoreUnavailable
from contract.job_record import JobState
from contract.job_store import Admitted, Bounds
from contract.message import Lane, Ticket
from harness.process import ServiceProcess
from harness.running_service import RunningService
from harness.truth import is_right, some_texts
from harness.until import until

ROOMY = Bounds(10_000, 10_000_000)
PATIENCE_S = 90.0


class Load:
    """Submits small jobs from a thread until told to stop, and keeps every one that was accepted."""

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self.accepted: dict[str, list[str]] = {}
        self.refused = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        jobs = self._service.jobs
        while not self._stop.wait(0.005):
            texts = list(some_texts(2, seed=len(self.accepted) + self.refused))
            try:
                job = self._service.new_job(texts)
                [admission] = jobs.submit([(job, ROOMY)])
            except StoreUnavailable:
                self.refused += 1
                continue
            if isinstance(admission, Admitted):
                self.accepted[job.id] = texts
                self._send(admission.tickets)

    def _send(self, tickets: tuple[Ticket, ...]) -> None:
        try:
            self._service.send(tickets, Lane.INTERACTIVE)
        except Exception:  # noqa: BLE001  the reconciler sends what could not be sent
            time.sleep(0.01)


def disturb(service: RunningService, worker: ServiceProcess, fault: Callable[[], None]) -> Load:
    """Load before, during and after the fault; every accepted job must end rightly, in the same process."""
    with Load(service) as load:
        until(lambda: len(load.accepted) > 20, PATIENCE_S)
        fault()
        before = len(load.accepted)
        until(lambda: len(load.accepted) > before + 20, PATIENCE_S)
    for job_id, texts in load.accepted.items():
        assert service.ended(job_id, PATIENCE_S).state is JobState.SUCCEEDED
        answers = service.predictions(job_id)
        assert all(is_right(answer, text) for answer, text in zip(answers, texts, strict=True))
    assert not worker.has_ended()
    assert until(lambda: service.is_ready(worker), PATIENCE_S)
    return load
