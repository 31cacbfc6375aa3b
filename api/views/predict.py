"""POST /predict."""

from __future__ import annotations

import hashlib
import json
import time

from flask import Blueprint, Response, g, request

from api.context import Services
from api.http import body
from api.http.prefer import Patience, patience
from api.http.problems import Fault, invalid
from api.jobs.reader import has_ended
from api.openapi.schemas import PredictRequest, predict_request
from api.views import job_answer
from contract.errors import BacklogFull, IdempotencyConflict, StoreUnavailable
from contract.job_record import NewJob, Snapshot, dump_texts
from contract.job_store import Admitted, Conflict, Refused
from contract.message import Lane


def predict_views(services: Services) -> Blueprint:
    views = Blueprint("predict", __name__)
    model = predict_request(services.settings)

    @views.post("/predict")
    def predict() -> Response:
        willing = patience(request, services.settings, services.settings.default_wait_s)
        job = _job(body.read(request, model, services.settings.max_texts), services)
        g.log = {"job": job.id, "texts": len(job.texts)}
        if services.settings.log_texts:
            g.log["content"] = list(job.texts)
        snapshot, replayed = _answered(job, willing, services)
        ended = has_ended(snapshot) and not willing.at_once
        answer = (job_answer.standing if ended else job_answer.accepted)(snapshot, services)
        answer.headers.update(willing.headers)
        if replayed:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    return views


def _job(asked: PredictRequest, services: Services) -> NewJob:
    settings = services.settings
    texts = asked.given_texts
    if g.max_texts is not None and len(texts) > g.max_texts:
        raise invalid(Fault("pointer", f"/{asked.texts_field}", f"this API key may send {g.max_texts} texts a request"))
    model = asked.model or settings.model
    if model != settings.model and not services.knows(model):
        raise invalid(Fault("pointer", "/model", f"no model {model!r} is published or served here"))
    key = _idempotency_key()
    deadline_s = asked.deadline_s or settings.default_deadline_s
    return NewJob(
        id=services.jobs.new_id(int(time.time() * 1000)),
        model=model,
        lane=Lane.BULK if len(texts) >= settings.bulk_from_texts else Lane.INTERACTIVE,
        texts=texts,
        deadline_ms=deadline_s * 1000,
        options=asked.options,
        caller=g.caller,
        idempotency_key=key,
        digest=_digest(asked, model, deadline_s) if key else "",
        trace=g.get("trace", ""),
    )


def _answered(job: NewJob, willing: Patience, services: Services) -> tuple[Snapshot, bool]:
    """The job after the client's patience, and whether an earlier request had made it."""
    with services.waiters.watch(job.id) as moved:
        admitted = _admit(job, services)
        if admitted == job.id:
            snapshot = services.follower.ended(job.id, moved, willing.wait_s)
            return snapshot, False
    return services.follower.follow(admitted, willing.wait_s), True


def _admit(job: NewJob, services: Services) -> str:
    """The id of the job that answers this request. Raises BacklogFull, IdempotencyConflict or StoreUnavailable."""
    allowed = services.admission.bounds(job.model, job.lane)
    match services.intake.admit(job, allowed):
        case Admitted(job_id, _):
            return job_id
        case Conflict(job_id):
            raise IdempotencyConflict(f"this Idempotency-Key belongs to job {job_id}, whose request was another one")
        case Refused(backlog):
            size = len(dump_texts(job.texts).encode())
            wait_s = services.admission.retry_after_s(job.model, backlog, len(job.texts), size, allowed)
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
        raise invalid(Fault("header", "Idempotency-Key", "1 to 255 printable ASCII characters"))
    return key


def _digest(asked: PredictRequest, model: str, deadline_s: int) -> str:
    """Of what the request means, not of how its JSON is written."""
    meaning = [model, deadline_s, asked.options.model_dump(), asked.given_texts]
    return hashlib.sha256(json.dumps(meaning).encode()).hexdigest()
