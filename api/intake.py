"""The way in: jobs that arrive together are admitted in one round trip, and their tickets share messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from api.coalesce import Coalescer
from api.sender import Parcel, Sender
from contract.job import NewJob
from contract.jobs import Admission, Admitted, Bounds, Jobs
from contract.message import Lane
from contract.settings import SharedSettings

MOST_TOGETHER = {Lane.INTERACTIVE: 256, Lane.BULK: 1}


class Intake:
    """One thread a lane, so that a short question never waits while a big job is stored and sent."""

    def __init__(self, jobs: Jobs, settings: SharedSettings) -> None:
        self._jobs = jobs
        self._chunk_texts = settings.chunk_texts
        self._senders = {lane: Sender(settings) for lane in Lane}
        self._lanes = {lane: self._lane(lane) for lane in Lane}

    def admit(self, job: NewJob, bounds: Bounds) -> Admission:
        """Store the job and send its tickets, or refuse it. Raises StoreUnavailable."""
        return self._lanes[job.lane]((job, bounds))

    def close(self) -> None:
        """Admit what has come in, then stop."""
        for coalescer in self._lanes.values():
            coalescer.close()
        for sender in self._senders.values():
            sender.close()

    def _lane(self, lane: Lane) -> Coalescer[tuple[NewJob, Bounds], Admission]:
        def admit(asked: Sequence[tuple[NewJob, Bounds]]) -> list[Admission]:
            admissions = self._jobs.submit(asked)
            self._senders[lane].send(self._parcels([job for job, _ in asked], admissions))
            return admissions

        return Coalescer(f"intake-{lane}", admit, MOST_TOGETHER[lane])

    def _parcels(self, jobs: Sequence[NewJob], admissions: Sequence[Admission]) -> Iterator[Parcel]:
        for job, admission in zip(jobs, admissions, strict=True):
            if isinstance(admission, Admitted) and admission.tickets:
                sizes = map(len, job.chunks(self._chunk_texts))
                for ticket, texts in zip(admission.tickets, sizes, strict=True):
                    yield Parcel(job.model, job.lane, ticket, texts)
