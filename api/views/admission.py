"""From what a request asks to the job that answers it: the same for every protocol that the service speaks."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import g, request

from api.context import AppContext
from api.http import presence
from api.http.body_budget import BodyShare
from api.http.prefer import WaitPreference
from api.http.problems import FieldError, invalid
from api.jobs.waiting_room import WaitingPlace
from api.views import webhook
from contract.errors import BacklogFull, IdempotencyConflict, StoreUnavailable
from contract.job_record import JobRef, NewJob, Snapshot, dump_texts
from contract.job_store import Admitted, Conflict, Owing, Refused
from contract.message import Lane
from contract.prediction import Options

OWING_RETRY_S = 30
CHARS_OF_A_WINDOW = 1000
"""What 256 tokens of English have, about."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a request asks, whichever way it said so."""

    texts: Sequence[str]
    texts_at: str
    """JSON pointer (RFC 6901) to the texts in the body, for who sends too many of them."""
    options: Options
    model: str
    deadline_s: int
    webhook: str | None = None
    """Where the job's end is told, if the request names an address."""

    @property
    def digest(self) -> str:
        """SHA-256 of what the request means, not of how it is written."""
        meaning = [self.model, self.deadline_s, self.options.model_dump(), list(self.texts)]
        meaning += [self.webhook] if self.webhook else []
        return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()


Wish = TypeVar("Wish")
"""What a request says of the form of its answer, where it says so in its body."""


@dataclass(frozen=True, kw_only=True)
class Answered(Generic[Wish]):
    """The job after the client's patience."""

    job: Snapshot
    replayed: bool
    """An earlier request had made it."""
    wish: Wish


def answered(
    read: Callable[[BodyShare], tuple[Question, Wish]], willing: WaitPreference, context: AppContext
) -> Answered[Wish]:
    """Admit the job of this request, and wait for it as long as the client is willing to.

    read: takes the question out of the request's body, and counts its bytes.
    """
    job = JobRef(context.jobs.new_id(int(time.time() * 1000), g.caller), g.caller)
    client = presence.of(request)
    with context.events.subscribe(job.id, client) as waiter:
        admitted, place, wish = _submit(job.id, read, willing, context)
        with place:
            if admitted == job.id:
                found = context.reader.wait_subscribed(job, waiter, willing.wait_s)
            else:
                found = context.reader.wait(JobRef(admitted, g.caller), client, willing.wait_s)
    return Answered(job=found, replayed=admitted != job.id, wish=wish)


def _submit(
    job_id: str, read: Callable[[BodyShare], tuple[Question, Wish]], willing: WaitPreference, context: AppContext
) -> tuple[str, WaitingPlace, Wish]:
    """Admit the job of the request's body; the id of the job that answers it, and a place to wait for that.

    Nothing of the body outlives this call but the client's wish.
    """
    with context.bodies.share() as share:
        question, wish = read(share)
        job = _job(job_id, question, context)
        g.log = {"job": job_id, "texts": len(job.texts)}
        if context.settings.log_texts:
            g.log["content"] = list(job.texts)
        place = context.waiting_room.enter(g.caller, willing.wait_s)
        try:
            return _admit(job, context), place, wish
        except BaseException:
            place.leave()
            raise


def _job(job_id: str, asked: Question, context: AppContext) -> NewJob:
    if g.max_texts is not None and len(asked.texts) > g.max_texts:
        raise invalid(FieldError("pointer", asked.texts_at, f"this API key may send {g.max_texts} texts a request"))
    key = _idempotency_key()
    return NewJob(
        id=job_id,
        model=asked.model,
        lane=_lane(asked, context),
        texts=asked.texts,
        deadline_in_ms=asked.deadline_s * 1000,
        options=asked.options,
        caller=g.caller,
        idempotency_key=key,
        digest=asked.digest if key else "",
        trace=g.get("trace", ""),
        webhook=webhook.wanted(asked.webhook, context),
    )


def _lane(asked: Question, context: AppContext) -> Lane:
    """By the number of texts, where a text that is read in windows counts as many as it may have."""
    count, more = len(asked.texts), sum(len(text) // CHARS_OF_A_WINDOW for text in asked.texts)
    if more and context.reads_windows(asked.model, asked.options):
        count += more
    return Lane.BULK if count >= context.settings.bulk_from_texts else Lane.INTERACTIVE


def _admit(job: NewJob, context: AppContext) -> str:
    """The id of the job that answers this request. Raises BacklogFull, IdempotencyConflict or StoreUnavailable."""
    allowed = context.backpressure.bounds(job.model, job.lane)
    match context.submitter.admit(job, allowed):
        case Admitted(job_id, _):
            return job_id
        case Conflict(job_id):
            raise IdempotencyConflict(f"this Idempotency-Key belongs to job {job_id}, whose request was another one")
        case Refused(backlog):
            size = len(dump_texts(job.texts).encode())
            wait_s = context.backpressure.retry_after_s(job.model, backlog, len(job.texts), size, allowed)
            raise BacklogFull(
                f"{backlog.texts} texts of {backlog.bytes} bytes wait in the {job.lane} lane; "
                f"there should be room for {len(job.texts)} more in {wait_s} s",
                wait_s,
            )
        case Owing(webhooks):
            raise BacklogFull(f"{webhooks} webhooks of this API key wait to be delivered", OWING_RETRY_S)
        case StoreUnavailable() as full:
            raise full


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise invalid(FieldError("header", "Idempotency-Key", "1 to 255 printable ASCII characters"))
    return key
