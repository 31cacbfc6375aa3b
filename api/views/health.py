"""GET /health/live and /health/ready."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from api.services import Services
from contract.errors import StoreUnavailable
from contract.fleet import WorkerStatus


def health_views(services: Services) -> Blueprint:
    views = Blueprint("health", __name__)

    @views.get("/health/live")
    def live() -> dict[str, str]:
        return {"status": "live"}

    @views.get("/health/ready")
    def ready() -> tuple[dict[str, Any], int]:
        reasons = _reasons(services)
        found = {"status": "not ready" if reasons else "ready", "reasons": reasons, "workers": _workers(services)}
        return found, 503 if reasons else 200

    return views


def _reasons(services: Services) -> list[str]:
    """Why no text would be answered now; empty when one would."""
    try:
        services.jobs.now_ms()
    except StoreUnavailable as error:
        return [str(error)]
    model = services.settings.model
    if services.fleet.ready(model):
        return []
    reasons = [f"no worker is ready for model {model!r}"]
    reasons += [f"worker {worker.id}: {worker.state}" for worker in services.fleet.workers]
    return reasons


def _workers(services: Services) -> list[dict[str, Any]]:
    return [_worker(worker) for worker in services.fleet.workers]


def _worker(worker: WorkerStatus) -> dict[str, Any]:
    return worker.model_dump(include={"id", "state", "device", "precision", "model", "version", "refused"}, mode="json")
