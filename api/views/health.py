"""GET /health/live and /health/ready."""

from __future__ import annotations

from flask import Blueprint, Response

from api.context import Services
from api.http.responses import document
from api.openapi.schemas import Live, Ready, Worker
from contract.errors import NoModel, StoreUnavailable


def health_views(services: Services) -> Blueprint:
    views = Blueprint("health", __name__)

    @views.get("/health/live")
    def live() -> Response:
        return document(Live())

    @views.get("/health/ready")
    def ready() -> Response:
        reasons = why_not_ready(services)
        workers = [Worker.model_validate(worker, from_attributes=True) for worker in services.fleet.workers]
        found = Ready(status="not ready" if reasons else "ready", reasons=reasons, workers=workers)
        return document(found, 503 if reasons else 200)

    return views


def why_not_ready(services: Services) -> list[str]:
    """Why no text would be answered now; empty when one would."""
    try:
        services.jobs.now_ms()
    except StoreUnavailable as error:
        return [str(error)]
    name = services.settings.model
    if services.fleet.ready(name):
        return []
    return [f"no worker is ready for model {name!r}", *_unpublished(services, name), *_workers(services)]


def _unpublished(services: Services, name: str) -> list[str]:
    try:
        services.models.current(name)
    except NoModel as error:
        return [str(error)]
    return []


def _workers(services: Services) -> list[str]:
    found = []
    for worker in services.fleet.workers:
        found.append(f"worker {worker.id} is {worker.state}, for model {worker.model!r}")
        found += [f"worker {worker.id} refuses version {version}: {why}" for version, why in worker.refused.items()]
    return found
