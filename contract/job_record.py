"""The job record as Python sees it. contract/scripts/prelude.lua documents how it lies in Redis."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from contract.message import Lane, Ticket
from contract.prediction import Options, known_options
from contract.stored_result import answers_json

SCHEMA = 1
STATUS_FIELDS = ("state", "model", "version", "lane", "options", "caller", "texts", "done", "errors", "chunks", "dead",
                 "created", "started", "finished", "deadline", "ahead", "drained")  # fmt: skip
"""The fields of a job's hash in Redis that JobStatus.parse reads."""


class JobState(StrEnum):
    """A job is open while queued or running, and ends once as one of the others."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_open(self) -> bool:
        return self in (JobState.QUEUED, JobState.RUNNING)


class Webhook(NamedTuple):
    """Whom to tell of a job's end."""

    address: str
    signer: str
    """Name of the API key whose secrets sign it."""
    message: str = ""
    """The Celery message that has it delivered, as kombu writes it: pushed to its queue by whatever ends the job."""


NO_WEBHOOK = Webhook("", "")


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job as the API admits it."""

    id: str
    model: str
    lane: Lane
    texts: Sequence[str]
    deadline_in_ms: int
    """From its admission, not a point in time: the clock that counts is Redis's."""
    options: Options = field(default_factory=Options)
    caller: str = ""
    idempotency_key: str | None = None
    digest: str = ""
    """Of the whole request, so that an idempotency key used for another one is noticed."""
    trace: str = ""
    """What the spans of its chunks go on from, as W3C traceparent; empty when it is not traced."""
    webhook: Webhook = NO_WEBHOOK

    @property
    def idempotency_records(self) -> list[str]:
        """The record of its idempotency key in Redis, if it has one."""
        # None at all instead of an empty name, which a user of Redis may not be allowed to touch.
        if self.idempotency_key is None:
            return []
        scope = hashlib.sha256(f"{self.caller}\0{self.idempotency_key}".encode()).hexdigest()
        return [f"retort:idempotency:{scope}"]

    def chunks(self, size: int) -> list[Sequence[str]]:
        return [self.texts[start : start + size] for start in range(0, len(self.texts), size)]


class JobRef(NamedTuple):
    """A job as its caller names it: once it is gone, its id is told from an invented one to nobody else."""

    id: str
    caller: str = ""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """A job without its texts and results. Times are Unix milliseconds on Redis's clock."""

    id: str
    state: JobState
    model: str
    version: str | None
    lane: Lane
    options: Options
    caller: str
    texts: int
    done: int
    errors: int
    chunks: int
    dead: int
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_at_ms: int
    ahead: int
    """Texts of its lane that waited before it when it was admitted."""
    drained: int
    """The lane's count of texts that had left the backlog by then; see Backlog.drained."""

    @property
    def ref(self) -> JobRef:
        return JobRef(self.id, self.caller)

    @classmethod
    def parse(cls, job_id: str, record: Mapping[str, Any]) -> JobStatus:
        """The status out of STATUS_FIELDS as text. Raises ValueError or TypeError for what this release can't read."""

        def number(name: str) -> int | None:
            return None if record[name] is None else int(record[name])

        return cls(
            id=job_id,
            state=JobState(record["state"]),
            model=record["model"],
            version=record["version"],
            lane=Lane(record["lane"]),
            options=known_options(record["options"]),
            caller=record["caller"],
            started_ms=number("started"),
            finished_ms=number("finished"),
            created_ms=int(record["created"]),
            deadline_at_ms=int(record["deadline"]),
            **{name: int(record[name]) for name in ("texts", "done", "errors", "chunks", "dead", "ahead", "drained")},
        )


@dataclass(frozen=True, kw_only=True)
class StoredChunk:
    """A chunk as the record holds it."""

    number: int
    state: str
    """queued, leased, running, committed, dead, or dropped because the job ended before it."""
    texts: int
    result: str | None
    """`prediction.ChunkResult` as JSON, once it is committed."""
    fault: str | None
    """Why it is a dead letter."""

    @classmethod
    def parse(cls, number: int, stored: str, result: str | None, fault: str | None) -> StoredChunk:
        """Read a chunk's fields. Raises ValueError, which is DamagedResult if only the result can't be read."""
        state, _, _, texts, _ = stored.split("|")
        if result is not None:
            answers_json(result)
        return cls(number=number, state=state, texts=int(texts), result=result, fault=fault)


@dataclass(frozen=True)
class Snapshot:
    """A job and some of its chunks, all read at the same moment."""

    status: JobStatus
    chunks: tuple[StoredChunk, ...]


@dataclass(frozen=True)
class Backlog:
    """The texts of one lane of one model that are admitted and not settled."""

    texts: int = 0
    bytes: int = 0
    drained: int = 0
    """Texts that ever left the backlog: a counter."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A chunk that this worker has taken."""

    ticket: Ticket
    attempt: int
    model: str
    lane: Lane
    options: Options
    deadline_at_ms: int
    created_ms: int
    leased_ms: int
    """Now, on Redis's clock, as are the other times."""
    texts: tuple[str, ...]
    trace: str = ""
    """See NewJob."""

    @property
    def stored_bytes(self) -> int:
        """Bytes of UTF-8 that its texts take in the record, and count for in the backlog."""
        return len(dump_texts(self.texts).encode())

    @property
    def is_suspect(self) -> bool:
        """True when an attempt at it has failed, so that it had better run alone."""
        return self.attempt > 1


@dataclass(frozen=True, kw_only=True)
class Commit:
    """The result of one chunk on its way into the job record."""

    ticket: Ticket
    version: str
    result: str
    """`prediction.ChunkResult` as JSON."""
    errors: int
    """Texts that could not be predicted."""


def dump_texts(texts: Sequence[str]) -> str:
    """A chunk's texts as they lie in the record."""
    return json.dumps(list(texts), ensure_ascii=False, separators=(",", ":"))


def load_texts(stored: str) -> tuple[str, ...]:
    """The texts that `dump_texts` wrote. Raises ValueError for anything else."""
    found = json.loads(stored)
    if not (isinstance(found, list) and all(isinstance(text, str) for text in found)):
        raise ValueError("its texts are no list of texts")
    return tuple(found)
