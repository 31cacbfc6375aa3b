"""POST /predict."""

from __future__ import annotations

import hashlib
import json
import time

from flask import Blueprint, Response, g, request

from api.context import AppContext
from api.http import body, presence
from api.http.prefer import WaitPreference, patience
from api.http.problems import FieldError, invalid
from api.jobs.reader import has_ended
from api.jobs.waiting_room import WaitingPlace
from api.openapi.schemas import PredictRequest, predict_request
from api.views import job_answer
from contract.errors import BacklogFull, IdempotencyConflict, StoreUnavailable
from contract.job_record import JobRef, NewJob, Snapshot, dump_texts
from contract.job_store import Admitted, Conflict, Refused
from contract.message import Lane


def predict_views(context: AppContext) -> Blueprint:
    views = Blueprint("predict", __name__)
    model = predict_request(context.settings)

    @views.post("/predict")
    def predict() -> Response:
        willing = patience(request, context.settings, context.settings.default_wait_s)
        snapshot, replayed = _answered(model, willing, context)
        ended = has_ended(snapshot) and not willing.at_once
        answer = (job_answer.standing if ended else job_answer.accepted)(snapshot, context)
        answer.headers.update(willing.headers)
        if replayed:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    return views


def _answered(model: type[PredictRequest], willing: WaitPreference, context: AppContext) -> tuple[Snapshot, bool]:
    """The job after the client's patience, and whether an earlier request had made it."""
    job = JobRef(context.jobs.new_id(int(time.time() * 1000), g.caller), g.caller)
    client = presence.of(request)
    with context.events.subscribe(job.id, client) as waiter:
        admitted, place = _submit(job.id, model, willing, context)
        with place:
            if admitted == job.id:
                return context.reader.wait_subscribed(job, waiter, willing.wait_s), False
            return context.reader.wait(JobRef(admitted, g.caller), client, willing.wait_s), True


def _submit(
    job_id: str, model: type[PredictRequest], willing: WaitPreference, context: AppContext
) -> tuple[str, WaitingPlace]:
    """Admit the job of the request's body; the id of the job that answers it, and a place to wait for that.

    Nothing of the body outlives this call.
    """
    with context.bodies.share() as share:
        job = _job(job_id, body.read(request, model, share, context.settings.max_texts), context)
        g.log = {"job": job_id, "texts": len(job.texts)}
        if context.settings.log_texts:
            g.log["content"] = list(job.texts)
        place = context.waiting_room.enter(g.caller, willing.wait_s)
        try:
            return _admit(job, context), place
        except BaseException:
            place.leave()
            raise


def _job(job_id: str, asked: PredictRequest, context: AppContext) -> NewJob:
    settings = context.settings
    texts = asked.given_texts
    if g.max_texts is not None and len(texts) > g.max_texts:
        raise invalid(
            FieldError("pointer", f"/{asked.texts_field}", f"this API key may send {g.max_texts} texts a request")
        )
    model = asked.model or settings.default_model
    if why_not := context.why_not_served(model):
        raise invalid(FieldError("pointer", "/model", why_not))
    key = _idempotency_key()
    deadline_s = asked.deadline_s or settings.default_deadline_s
    return NewJob(
        id=job_id,
        model=model,
        lane=Lane.BULK if len(texts) >= settings.bulk_from_texts else Lane.INTERACTIVE,
        texts=texts,
        deadline_in_ms=deadline_s * 1000,
        options=asked.options,
        caller=g.caller,
        idempotency_key=key,
        digest=request_digest(asked, model, deadline_s) if key else "",
        trace=g.get("trace", ""),
    )


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
        case StoreUnavailable() as full:
            raise full


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise invalid(FieldError("header", "Idempotency-Key", "1 to 255 printable ASCII characters"))
    return key


def request_digest(asked: PredictRequest, model: str, deadline_s: int) -> str:
    """SHA-256 of what the request means, not of how its JSON is written."""
    meaning = [model, deadline_s, asked.options.model_dump(), asked.given_texts]
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()
