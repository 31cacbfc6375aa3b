"""The API's side of the job record: admit, read, remove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import redis

from contract.errors import GoneJob, StoreUnavailable, UnknownJob
from contract.id_key import IdKey
from contract.job_record import (
    STATUS_FIELDS,
    Backlog,
    JobRef,
    JobStatus,
    NewJob,
    Snapshot,
    StoredChunk,
    dump_texts,
)
from contract.lenient import counter, is_of_wrong_type, unless_of_wrong_type
from contract.message import Lane, Ticket
from contract.prediction import dump_options
from contract.quarantine import Quarantine
from contract.redis_client import Script, store_errors
from contract.settings import SharedSettings
from contract.stored_result import DamagedResult
from contract.unreadable import Unreadable

WAKE_CHANNEL = "retort:wake"
WRITE_CHECK = "retort:write-check"


@dataclass(frozen=True)
class Bounds:
    """How much of a lane's backlog may be filled."""

    texts: int
    bytes: int


@dataclass(frozen=True)
class Admitted:
    """The job is in the record; `tickets` are to be sent, none when the same request was admitted before."""

    id: str
    tickets: tuple[Ticket, ...]


@dataclass(frozen=True)
class Refused:
    """Nothing was stored: the lane's backlog is full."""

    backlog: Backlog


@dataclass(frozen=True)
class Conflict:
    """Nothing was stored: the idempotency key belongs to another request, whose job this is."""

    id: str


@dataclass(frozen=True)
class Owing:
    """Nothing was stored: so many webhooks of this key wait to be delivered that it may not add to them."""

    webhooks: int


SubmitOutcome = Admitted | Refused | Owing | Conflict | StoreUnavailable
"""StoreUnavailable: nothing was stored, because the memory of Redis is nearly full."""


ReadOutcome = Snapshot | UnknownJob | GoneJob | StoreUnavailable
"""StoreUnavailable: a newer release wrote the job."""


class JobStore:
    """Job records in Redis. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(
        self,
        client: redis.Redis,
        settings: SharedSettings,
        *,
        idempotency_ttl_s: int = 86_400,
        unreadable: Unreadable | None = None,
    ) -> None:
        self._quarantine = Quarantine(client, settings, unreadable)
        self._client = client
        self._settings = settings
        self._idempotency_ttl_ms = idempotency_ttl_s * 1000
        self._result_ttl_ms = settings.result_ttl_s * 1000
        self._kept_ms = max(settings.result_ttl_s, settings.dead_letter_ttl_s) * 1000
        replicas = settings.redis_replicas
        self._submit, self._remove = (Script(client, name, replicas=replicas) for name in ("submit", "remove"))
        self._expire, self._recent = (Script(client, name) for name in ("expire", "recent"))
        self._ids = IdKey(client, self._quarantine)

    def new_id(self, now_ms: int, caller: str = "") -> str:
        return self._ids.issue(now_ms, caller)

    def submit(self, jobs: Sequence[tuple[NewJob, Bounds]]) -> list[SubmitOutcome]:
        """Admit each job or refuse it, all in one round trip. Nothing of a refused job is stored.

        The tickets of those admitted are the caller's to send.
        """
        answers = self._submit.call_many([self._submission(job, bounds) for job, bounds in jobs])
        return [self._admission(job, answer) for (job, _), answer in zip(jobs, answers, strict=True)]

    def submit_and_send(self, job: NewJob, bounds: Bounds, messages: Sequence[tuple[str, str]]) -> SubmitOutcome:
        """Admit one job or refuse it; in the same step push the messages of an admitted one to their queues."""
        [answer] = self._submit.call_many([self._submission(job, bounds, messages)])
        return self._admission(job, answer)

    def _submission(
        self, job: NewJob, bounds: Bounds, messages: Sequence[tuple[str, str]] = ()
    ) -> tuple[list[str], list[Any]]:
        arguments: list[Any] = [job.id, job.model, job.lane, dump_options(job.options), job.caller]
        arguments += [job.deadline_in_ms, job.digest, self._idempotency_ttl_ms, bounds.texts, bounds.bytes, job.trace]
        arguments += [self._kept_ms, *job.webhook, len(messages), *chain.from_iterable(messages)]
        for texts in job.chunks(self._settings.chunk_texts):
            stored = dump_texts(texts)
            arguments += [stored, len(texts), len(stored.encode())]
        return job.idempotency_records, arguments

    def _admission(self, job: NewJob, answer: list[Any]) -> SubmitOutcome:
        match answer:
            case ["accepted"]:
                chunks = -(-len(job.texts) // self._settings.chunk_texts)
                return Admitted(job.id, tuple(Ticket(job.id, chunk) for chunk in range(chunks)))
            case ["same", job_id]:
                return Admitted(job_id, ())
            case ["conflict", job_id]:
                return Conflict(job_id)
            case ["full", texts, size]:
                return Refused(Backlog(int(texts), int(size)))
            case ["owing", webhooks]:
                return Owing(int(webhooks))
            case ["no-memory"]:
                return StoreUnavailable("Redis: its memory is nearly full")
            case _:
                raise AssertionError(f"submit.lua answered {answer!r}")

    def status(self, job_id: str, caller: str = "") -> JobStatus:
        """Where the job stands. Raises UnknownJob, or GoneJob when it was deleted or outlived its time to live."""
        [found] = self.read([(JobRef(job_id, caller), ())])
        if not isinstance(found, Snapshot):
            raise found
        return found.status

    def read(self, asked: Sequence[tuple[JobRef, Sequence[int]]]) -> list[ReadOutcome]:
        """Each job with the chunks asked for, in one round trip; the error in the place of a job that can't be read.

        Numbers beyond the job's last chunk are left out. A damaged job is set aside, and gone from then on; one that a
        newer release wrote is unavailable to this one.
        """
        with store_errors():
            pipeline = self._client.pipeline(transaction=False)
            for (job_id, _), chunks in asked:
                of_chunks = (f"{kind}:{number}" for number in chunks for kind in "cre")
                pipeline.hmget(f"retort:job:{job_id}", [*STATUS_FIELDS, *of_chunks])
            records = pipeline.execute(raise_on_error=False)
            for found in records:
                if isinstance(found, Exception) and not is_of_wrong_type(found):
                    raise found
        return [self._snapshot_or_error(*pair) for pair in zip(asked, records, strict=True)]

    def _snapshot_or_error(
        self, asked: tuple[JobRef, Sequence[int]], values: list[str | None] | Exception
    ) -> ReadOutcome:
        (job_id, _), _ = asked
        try:
            if isinstance(values, Exception):
                raise values
            return self._snapshot(asked, values)
        except (ValueError, TypeError, redis.ResponseError) as error:
            seen = str(error) if isinstance(error, DamagedResult) else ""
            if self._quarantine.set_aside_job(job_id, seen):
                return GoneJob(f"the record of job {job_id} was damaged and is set aside")
            return StoreUnavailable(f"job {job_id} was written by a newer release: {type(error).__name__}")

    def _snapshot(
        self, asked: tuple[JobRef, Sequence[int]], values: list[str | None]
    ) -> Snapshot | UnknownJob | GoneJob:
        """Raises ValueError or TypeError for what this release can't read."""
        (job_id, caller), chunks = asked
        record = dict(zip(STATUS_FIELDS, values, strict=False))
        if record["state"] is None:
            return self._absent(job_id, caller)
        fields = iter(values[len(STATUS_FIELDS) :])
        stored = zip(chunks, fields, fields, fields, strict=True)
        found = tuple(StoredChunk.parse(n, c, r, e) for n, c, r, e in stored if c)
        return Snapshot(JobStatus.parse(job_id, record), found)

    def recent(self, caller: str, skip: int, most: int) -> list[JobStatus]:
        """The caller's jobs that are still there, newest first: at most `most`, after the `skip` newest.

        Only a caller's last 1,000 jobs are remembered.
        """
        names = [str(job_id) for job_id in self._recent(caller, skip, most)]
        found = self.read([(JobRef(job_id, caller), ()) for job_id in names])
        return [job.status for job in found if isinstance(job, Snapshot)]

    def results(self, job_id: str, chunks: Sequence[int]) -> list[str | None]:
        """The stored `ChunkResult` of each chunk as JSON, None where it is not committed."""
        return self._fields(job_id, [f"r:{chunk}" for chunk in chunks])

    def chunk_faults(self, job_id: str, chunks: Sequence[int]) -> list[str | None]:
        """Why each chunk is a dead letter, None where it is none."""
        return self._fields(job_id, [f"e:{chunk}" for chunk in chunks])

    def _fields(self, job_id: str, names: list[str]) -> list[str | None]:
        if not names:
            return []
        with store_errors():
            return cast("list[str | None]", self._client.hmget(f"retort:job:{job_id}", names))

    def remove(self, job_id: str, caller: str = "") -> str:
        """Cancel an open job ("cancelled") or delete an ended one ("deleted"). Raises UnknownJob or GoneJob."""
        [outcome] = self._remove.call_each([((), (job_id, self._result_ttl_ms))])
        if isinstance(outcome, Exception):
            self._set_aside(job_id, outcome)
        if outcome == "gone" or isinstance(outcome, Exception):
            raise self._absent(job_id, caller)
        return str(outcome)

    def expire(self, job_id: str) -> bool:
        """End the job as expired if its deadline has passed and it is open; True when this call did."""
        [outcome] = self._expire.call_each([((), (job_id, self._result_ttl_ms))])
        if isinstance(outcome, Exception):
            self._set_aside(job_id, outcome)
            return False
        return bool(outcome)

    def _set_aside(self, job_id: str, fault: Exception) -> None:
        """Set the job aside that a script failed on. Raises the fault when nothing is damaged: it is the program's."""
        if not self._quarantine.set_aside_job(job_id):
            raise fault

    def backlog(self, model: str, lane: Lane) -> Backlog:
        names = [f"{lane}_texts", f"{lane}_bytes", f"{lane}_drained"]
        with store_errors():
            return Backlog(
                *map(counter, unless_of_wrong_type(lambda: self._client.hmget(f"retort:backlog:{model}", names), []))
            )

    def oldest_queued_ms(self, model: str) -> int | None:
        """When the chunk that waits longest for a worker was queued, on Redis's clock; None when none waits."""
        with store_errors():
            first = unless_of_wrong_type(
                lambda: self._client.zrange(f"retort:queued:{model}", 0, 0, withscores=True), []
            )
        return int(first[0][1]) if first else None

    def open_jobs(self) -> int:
        """Jobs that have not ended."""
        with store_errors():
            return int(unless_of_wrong_type(lambda: self._client.zcard("retort:deadlines"), 0))

    def dead_letters(self) -> int:
        """Chunks that were given up and wait for an operator."""
        with store_errors():
            kept_since = self.now_ms() - 1000 * self._settings.dead_letter_ttl_s
            return int(unless_of_wrong_type(lambda: self._client.zcount("retort:dead", kept_since, "+inf"), 0))

    def totals(self) -> dict[str, int]:
        """Counters of this service since its Redis was empty: accepted, refused, succeeded, late_commits and so on."""
        with store_errors():
            found = unless_of_wrong_type(lambda: self._client.hgetall("retort:totals"), {})
        return {str(name): counter(value) for name, value in found.items()}

    def memory(self) -> tuple[int, int]:
        """Bytes that Redis uses, and how many it may; 0 for no limit. New jobs are refused when 90% are used."""
        with store_errors():
            found = self._client.info("memory")
        return int(found["used_memory"]), int(found["maxmemory"])

    def check_writes(self) -> None:
        """Write something. Raises StoreUnavailable with what Redis says when it takes no writes: a full disk, say."""
        with store_errors():
            self._client.set(WRITE_CHECK, "1", ex=60)

    def now_ms(self) -> int:
        """Redis's clock."""
        with store_errors():
            seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    def _absent(self, job_id: str, caller: str) -> UnknownJob | GoneJob:
        if self._ids.was_issued(job_id, caller):
            return GoneJob(f"job {job_id} was deleted, or its time to live has passed")
        return UnknownJob(f"no job {job_id!r} was ever accepted here")
