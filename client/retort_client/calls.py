"""Each call of the API as a conversation; Client and AsyncClient carry out the same ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from retort_client import documents, wire
from retort_client.documents import Answer, JobStatus, Model, ModelVersion, Page
from retort_client.errors import Gone, JobCancelled, TimedOut, UnexpectedReply
from retort_client.retry import Call, Patience, replied, retry_after_s
from retort_client.wire import Reply, Request

LONGEST_WAIT_S = 25
"""Of one request, so that proxies that cut idle connections after 30 s don't."""
WAITED_S = 1.0
"""A service that replies sooner, although it was asked to wait, does not wait; it is asked again after Retry-After."""

T = TypeVar("T")


class Standing(NamedTuple):
    """A job and its answers, once it has them."""

    status: JobStatus
    answers: list[Answer] | None


def predict(submission: Request, patience: Patience) -> Call[list[Answer]]:
    """Submit, wait for the end, and read the answers. Raises JobCancelled, TimedOut and what `replied` raises."""
    reply = yield from replied(wire.waiting(submission, _wait_s(patience)), patience)
    status, answers = parsed(reply, _standing)
    if status.is_open:
        status, answers = yield from _polled(status.id, wire.job(status.id), _standing, _is_over, patience)
    if answers is None:
        raise JobCancelled(status.id)
    return answers


def status(request: Request, patience: Patience) -> Call[JobStatus]:
    """The job that a submission makes, or that `wire.job` asks for."""
    reply = yield from replied(request, patience)
    return parsed(reply, documents.job_status)


def wait(job_id: str, patience: Patience) -> Call[JobStatus]:
    """The job once it has ended. Raises TimedOut."""
    return (yield from _polled(job_id, wire.job(job_id), documents.job_status, _has_ended, patience))


def page(job_id: str, start: int, patience: Patience) -> Call[Page]:
    """The answers from text `start` on that are there, at least one. Raises TimedOut, and Gone for a cancelled job."""
    return (yield from _polled(job_id, wire.results(job_id, start), documents.page, _has_answers, patience))


def remove(job_id: str, patience: Patience) -> Call[None]:
    """Cancel or delete the job; one that is gone already is as it should be."""
    try:
        yield from replied(wire.removal(job_id), patience)
    except Gone:
        return


def models(patience: Patience) -> Call[list[Model]]:
    reply = yield from replied(wire.models(), patience)
    return parsed(reply, documents.models)


def model(name: str, patience: Patience) -> Call[list[ModelVersion]]:
    reply = yield from replied(wire.model(name), patience)
    return parsed(reply, documents.model_versions)


def parsed(reply: Reply, parse: Callable[[Any], T]) -> T:
    """The reply's document. Raises UnexpectedReply when it is not what Retort answers."""
    try:
        return parse(json.loads(reply.body))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        shown = reply.body[:80].decode(errors="replace")
        raise UnexpectedReply(f"not an answer of Retort: {type(error).__name__} {error} in {shown!r}") from error


def _polled(
    job_id: str, request: Request, parse: Callable[[Any], T], enough: Callable[[T], bool], patience: Patience
) -> Call[T]:
    """Ask with `Prefer: wait` until what comes is enough. Raises TimedOut."""
    pause_s = 0.0
    while True:
        asked_at = patience.now() + pause_s
        reply = yield from replied(wire.waiting(request, _wait_s(patience)), patience, pause_s)
        found = parsed(reply, parse)
        if enough(found):
            return found
        pause_s = 0.0 if patience.now() - asked_at >= WAITED_S else retry_after_s(reply.headers) or WAITED_S
        if pause_s >= patience.left_s:
            raise TimedOut(job_id)


def _standing(document: documents.Document) -> Standing:
    predictions = document.get("predictions")
    answers = None if predictions is None else [documents.answer(one) for one in predictions]
    return Standing(documents.job_status(document), answers)


def _is_over(standing: Standing) -> bool:
    return _has_ended(standing.status)


def _has_ended(status: JobStatus) -> bool:
    return not status.is_open


def _has_answers(found: Page) -> bool:
    return bool(found.answers) or found.next is None


def _wait_s(patience: Patience) -> int:
    return int(min(LONGEST_WAIT_S, patience.left_s))
