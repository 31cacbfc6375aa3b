"""The way in: jobs that arrive together are admitted in one round trip, and their tickets share messages.

One that arrives alone takes its messages along: its record and its place in the queue are one step, and one flush of
Redis's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

import redis

from api.jobs.coalesce import Coalescer
from api.jobs.sender import MessageSender, QueuedTicket
from contract.job_record import NewJob
from contract.job_store import Admitted, Bounds, JobStore, SubmitOutcome
from contract.loop import Loop
from contract.message import Lane, Ticket
from contract.settings import SharedSettings

MOST_TOGETHER = {Lane.INTERACTIVE: 256, Lane.BULK: 1}


class JobSubmitter:
    """Admits jobs, with one thread a lane, so that a short question never waits while a big job is stored and sent."""

    def __init__(self, client: redis.Redis, jobs: JobStore, settings: SharedSettings) -> None:
        self._jobs = jobs
        self._chunk_texts = settings.chunk_texts
        self._senders = {lane: MessageSender(client, settings) for lane in Lane}
        self._lanes = {lane: self._lane(lane) for lane in Lane}

    def admit(self, job: NewJob, bounds: Bounds) -> SubmitOutcome:
        """Store the job and send its tickets, or refuse it. Raises StoreUnavailable."""
        return self._lanes[job.lane]((job, bounds))

    @property
    def loops(self) -> list[Loop]:
        return [coalescer.loop for coalescer in self._lanes.values()]

    def close(self) -> None:
        """Admit what has come in, then stop."""
        for coalescer in self._lanes.values():
            coalescer.close()

    def _lane(self, lane: Lane) -> Coalescer[tuple[NewJob, Bounds], SubmitOutcome]:
        sender = self._senders[lane]

        def admit(jobs: Sequence[tuple[NewJob, Bounds]]) -> list[SubmitOutcome]:
            asked = [(_with_notice(job, sender), bounds) for job, bounds in jobs]
            if len(asked) == 1:
                [(job, bounds)] = asked
                return [self._jobs.submit_and_send(job, bounds, sender.packed(self._queued_tickets(job)))]
            admissions = self._jobs.submit(asked)
            admitted = (job for (job, _), answer in zip(asked, admissions, strict=True) if _is_new(answer))
            sender.send(chain.from_iterable(map(self._queued_tickets, admitted)))
            return admissions

        return Coalescer(f"intake-{lane}", admit, MOST_TOGETHER[lane])

    def _queued_tickets(self, job: NewJob) -> Iterator[QueuedTicket]:
        for chunk, texts in enumerate(job.chunks(self._chunk_texts)):
            yield QueuedTicket(job.model, job.lane, Ticket(job.id, chunk), len(texts))


def _with_notice(job: NewJob, sender: MessageSender) -> NewJob:
    """The job with the message that has its webhook delivered, if it has one."""
    if not job.webhook.address:
        return job
    return replace(job, webhook=job.webhook._replace(message=sender.notice(job.id)))


def _is_new(admission: SubmitOutcome) -> bool:
    return isinstance(admission, Admitted) and len(admission.tickets) > 0
