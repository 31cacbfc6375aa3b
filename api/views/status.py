"""GET /status: how the service stands, for people who watch it."""

from __future__ import annotations

from flask import Blueprint, Response

from api.context import AppContext
from api.http.responses import json_response
from api.openapi.schemas import Worker
from api.openapi.status_schemas import JobCounts, LaneStatus, ModelStatus, RateSample, ServiceStatus, StoreStatus
from api.views.health import why_not_ready
from api.views.model_documents import ModelDocuments
from contract.message import Lane


def status_views(context: AppContext) -> Blueprint:
    views = Blueprint("status", __name__)
    documents = ModelDocuments(context.models, context.fleet, context.settings.default_model)

    @views.get("/status")
    def status() -> Response:
        names = sorted({context.settings.default_model, *documents.names()})
        used, limit = context.jobs.memory()
        reasons = why_not_ready(context)
        found = ServiceStatus(
            ready=not reasons,
            reasons=reasons,
            models=[_model(context, name) for name in names],
            workers=[Worker.model_validate(worker, from_attributes=True) for worker in context.fleet.workers],
            jobs=JobCounts(open=context.jobs.open_jobs(), **_counted(context.jobs.totals())),
            dead_letters=context.jobs.dead_letters(),
            store=StoreStatus(used_bytes=used, limit_bytes=limit),
            lately=[
                RateSample(ago_s=round(past.ago_s, 1), texts_per_s=round(past.texts_per_s, 1))
                for past in context.history.rates()
            ],
        )
        answer = json_response(found)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return views


def _model(context: AppContext, name: str) -> ModelStatus:
    rate = context.fleet.rate(name).texts_per_s
    queued_ms = context.jobs.oldest_queued_ms(name)
    oldest_s = 0.0 if queued_ms is None else max(context.jobs.now_ms() - queued_ms, 0) / 1000
    return ModelStatus(
        name=name,
        workers=len(context.fleet.ready(name)),
        texts_per_s=round(rate, 1),
        oldest_s=round(oldest_s, 1),
        lanes=[_lane(context, name, lane, rate) for lane in Lane],
    )


def _lane(context: AppContext, name: str, lane: Lane, rate: float) -> LaneStatus:
    backlog = context.jobs.backlog(name, lane)
    seconds = round(backlog.texts / rate, 1) if rate > 0 else None
    return LaneStatus(
        lane=lane, texts=backlog.texts, bytes=backlog.bytes, seconds=seconds if backlog.texts else 0.0,
        drained=backlog.drained,
    )  # fmt: skip


def _counted(totals: dict[str, int]) -> dict[str, int]:
    return {name: totals.get(name, 0) for name in JobCounts.model_fields if name != "open"}
