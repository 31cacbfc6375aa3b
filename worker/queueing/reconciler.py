"""The reconciler: finds chunks that nobody works on and sends their tickets again.

Redis hands a message out once: a worker that is killed takes the messages it holds with it, as does a connection that
breaks at the wrong moment. The job records know better. A chunk is

- *held* by a worker that lives: fine; by a dead one: it goes back to the queue at once;
- *queued* with its ticket in its queue: fine; otherwise its message is lost, unless it is young and on its way;
- held by this worker, which knows nothing of it: something went wrong here, and the chunk is tried again.

Of a model's workers one sweeps at a time, for all models whose sweeper it is; each looks after its own leases.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from contract.chunk_store import ChunkStore, Resend
from contract.errors import StoreUnavailable
from contract.fleet import Fleet
from contract.job_store import JobStore
from contract.loop import STOP_S
from contract.message import JobQueue, Lane, Ticket
from contract.sweep_store import SweepStore
from contract.unreadable import Unreadable
from worker.loops import worker_loop
from worker.metrics import RESENT_CHUNKS
from worker.queueing.queued_message import tickets_of

log = logging.getLogger(__name__)
SETTLED_AFTER_MS = 3000
"""A chunk queued for less than this may still be on its way to the queue."""
MOST_EXPIRED = 100
LOCK_PAUSES = 2
"""The lock of a sweeper that dies is free after so many of its pauses."""
DUTY = 0.1
"""Share of a core that a worker's sweeps use at most, for reading a long queue takes a while. What they wait for does
not count: on a slow link, or while Redis is away, a late next sweep would only leave what is lost to wait longer."""


class Reconciler:
    """Sweeps every `interval_s` while this worker holds the sweeper's lock."""

    def __init__(
        self,
        *,
        records: SweepStore,
        fleet: Fleet,
        chunks: ChunkStore,
        jobs: JobStore,
        unreadable: Unreadable,
        send: Callable[[Sequence[Resend]], None],
        held: Callable[[], set[Ticket]],
        liveness_known: Callable[[], bool],
        models: Callable[[], Sequence[str]],
        interval_s: float,
    ) -> None:
        """`models` names those whose chunks this worker looks after, `held` the tickets that it works on.

        `liveness_known` says whether every live worker has had the time to send a heartbeat: just after an outage of
        Redis all of them look dead.
        """
        self._records = records
        self._fleet = fleet
        self._chunks = chunks
        self._jobs = jobs
        self._unreadable = unreadable
        self._send = send
        self._held = held
        self._liveness_known = liveness_known
        self._models = models
        self._interval_s = interval_s
        self._forgotten: set[Ticket] = set()
        self.loop = worker_loop("reconciler", self._step, pause_s=interval_s)

    def start(self) -> None:
        self.loop.start()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """Leave the sweeps to another worker; True when the thread ended within `timeout_s`."""
        ended = self.loop.stop(timeout_s)
        try:
            self._records.release_locks(self._models())
        except StoreUnavailable:
            log.debug("the sweeper's locks will expire by themselves")
        return ended

    def _step(self) -> None:
        self.retry_forgotten()
        mine = self._take_locks()
        self.loop.pause_s = self._interval_s
        if mine:
            self.sweep(mine)
            self._release_locks_unless_liveness_known(mine)

    def retry_forgotten(self) -> None:
        """Give up the leases that this worker has had for two sweeps without working on them."""
        forgotten = self._records.leases(self._chunks.worker) - self._held()
        twice = forgotten & self._forgotten
        self._forgotten = forgotten - twice
        self._resend(self._chunks.give_up(twice, "a worker could not process it; its log says why"), "forgotten")

    def sweep(self, models: Sequence[str]) -> None:
        """Once over everything that is of these models, or of all.

        A part that fails leaves the others their turn; what the last one raised is raised. A repair is rare, and takes
        the longer the more jobs there are: it does not put the next sweep off, which sends again what it found missing.
        """
        faults = _each(partial(self._records.repair, model) for model in models)
        started = time.thread_time()
        faults += _each([self._expire_jobs, self._reclaim, *(partial(self._resend_lost, model) for model in models)])
        self.loop.pause_s = max(self._interval_s, (time.thread_time() - started) / DUTY)
        if faults:
            raise faults[-1]

    def _take_locks(self) -> list[str]:
        """The models whose sweeper this worker is."""
        return self._records.take_locks(self._models(), LOCK_PAUSES * self.loop.pause_s)

    def _release_locks_unless_liveness_known(self, models: Sequence[str]) -> None:
        if not self._liveness_known():
            self._records.release_locks(models)

    def _expire_jobs(self) -> None:
        """End what is overdue. A job that can't be ended is looked at no more, or it would hide the others."""
        for job_id in self._records.due_jobs(MOST_EXPIRED):
            try:
                self._jobs.expire(job_id)
            except StoreUnavailable:
                raise
            except Exception:
                self._records.forget_due(job_id)
                log.exception("job %s can't be ended", job_id)

    def _reclaim(self) -> None:
        """Send the chunks that dead workers held again."""
        if not self._liveness_known():
            return
        for worker in self._fleet.dead():
            leases = self._records.leases(worker)
            log.warning("worker %s is dead, it held %d chunks", worker, len(leases))
            self._resend(self._chunks.reclaim(leases, worker, f"worker {worker} died while it ran"), "dead-worker")
            self._fleet.leave(worker)

    def _resend_lost(self, model: str) -> None:
        missing = self._records.waiting(model, SETTLED_AFTER_MS)
        if missing:
            # A worker may have taken one just now: its chunk is no longer queued when Redis is asked to send it again.
            lost = missing - self._queued_tickets(model)
            self._resend(self._chunks.resend_lost(lost, model), "lost-message")

    def _queued_tickets(self, model: str) -> set[Ticket]:
        """The tickets in the queues. A message that can't be read counts for nothing: its tickets are sent again."""
        tickets: set[Ticket] = set()
        for lane in Lane:
            for message in self._records.messages(JobQueue(model, lane)):
                try:
                    tickets.update(tickets_of(message))
                except ValueError as error:
                    self._unreadable.skip("message", lane, error)
        return tickets

    def _resend(self, resends: Sequence[Resend], why: str) -> None:
        if resends:
            RESENT_CHUNKS.labels(why).inc(len(resends))
            log.info("%d chunks are sent again: %s", len(resends), why)
            self._send(resends)


def _each(parts: Iterable[Callable[[], None]]) -> list[Exception]:
    """Run each part, and return what they raised; without Redis there is no going on."""
    faults: list[Exception] = []
    for part in parts:
        try:
            part()
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  returned
            faults.append(error)
    return faults
