"""POST /predict."""

from __future__ import annotations

from flask import Blueprint, Response, request

from api.context import AppContext
from api.http import body
from api.http.body_budget import BodyShare
from api.http.prefer import patience
from api.http.problems import FieldError, invalid
from api.jobs.reader import has_ended
from api.openapi.schemas import PredictRequest, predict_request
from api.views import admission, job_answer
from api.views.admission import Question


def predict_views(context: AppContext) -> Blueprint:
    views = Blueprint("predict", __name__)
    model = predict_request(context.settings)

    def read(share: BodyShare) -> tuple[Question, None]:
        return question(body.read(request, model, share, context.settings.max_texts), context), None

    @views.post("/predict")
    def predict() -> Response:
        willing = patience(request, context.settings, context.settings.default_wait_s)
        found = admission.answered(read, willing, context)
        ended = has_ended(found.job) and not willing.at_once
        answer = (job_answer.standing if ended else job_answer.accepted)(found.job, context)
        answer.headers.update(willing.headers)
        if found.replayed:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    return views


def question(asked: PredictRequest, context: AppContext) -> Question:
    """What the body asks. Raises Problem when the model that it names is not there."""
    settings = context.settings
    model = asked.model or settings.default_model
    if why_not := context.why_not_served(model):
        raise invalid(FieldError("pointer", "/model", why_not))
    return Question(
        texts=asked.given_texts,
        texts_at=f"/{asked.texts_field}",
        options=asked.options,
        model=model,
        deadline_s=asked.deadline_s or settings.default_deadline_s,
        webhook=asked.webhook,
    )
