"""GET /health/live and /health/ready."""

from __future__ import annotations

from flask import Blueprint, Response

from api.context import AppContext
from api.http.responses import json_response
from api.openapi.schemas import Live, Ready, Worker
from contract.errors import NoModel


def health_views(context: AppContext) -> Blueprint:
    views = Blueprint("health", __name__)

    @views.get("/health/live")
    def live() -> Response:
        body, status = liveness(context)
        return Response(body, status, mimetype="application/json")

    @views.get("/health/ready")
    def ready() -> Response:
        reasons = why_not_ready(context)
        workers = [Worker.model_validate(worker, from_attributes=True) for worker in context.fleet.workers]
        found = Ready(status="not ready" if reasons else "ready", reasons=reasons, workers=workers)
        if warnings := _warnings(context):
            found.warnings = warnings
        return json_response(found, 503 if reasons else 200)

    return views


def liveness(context: AppContext) -> tuple[str, int]:
    """Say whether every thread lives, as JSON and its status. Any thread of the system's may call this."""
    reasons = why_not_live(context)
    found = Live(status="not live", reasons=reasons) if reasons else Live()
    return found.model_dump_json(by_alias=True), 503 if reasons else 200


def why_not_live(context: AppContext) -> list[str]:
    """Why this process had better be started again; empty when it answers."""
    return [f"the thread {loop.name} has ended" for loop in context.loops if loop.has_died()]


def why_not_ready(context: AppContext) -> list[str]:
    """Why no text would be answered now; empty when one would."""
    if complaint := context.store_watch.complaint:
        return [complaint]
    name = context.settings.default_model
    if context.fleet.ready(name):
        return []
    unpublished = _unpublished(context, name)
    if unpublished and context.settings.selection.every and any(map(context.fleet.ready, context.fleet.served())):
        return []
    behind = [complaint] if (complaint := context.model_folder.complaint) else []
    return [f"no worker is ready for model {name!r}", *unpublished, *behind, *_workers(context)]


def _warnings(context: AppContext) -> list[str]:
    """What is wrong and keeps no text from being answered."""
    found = [context.model_folder.complaint]
    if context.keys is not None:
        context.keys.refresh()
        found.append(context.keys.complaint)
    told = [f"worker {worker.id}: {worker.complaint}" for worker in context.fleet.workers if worker.complaint]
    return [*filter(None, found), *told]


def _unpublished(context: AppContext, name: str) -> list[str]:
    try:
        context.models.current(name)
    except NoModel as error:
        return [str(error)]
    return []


def _workers(context: AppContext) -> list[str]:
    found = []
    for worker in context.fleet.workers:
        found += [f"worker {worker.id}: {worker.complaint}"] if worker.complaint else []
        for each in worker.models:
            found.append(f"worker {worker.id} is {each.state}, for model {each.model!r}")
            found += [f"worker {worker.id} refuses version {version}: {why}" for version, why in each.refused.items()]
    return found
