"""GET /metrics."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.context import AppContext
from api.views.request_metrics import exposition


def metrics_views(context: AppContext) -> Blueprint:
    views = Blueprint("metrics", __name__)

    @views.get("/metrics")
    def metrics() -> Response:
        return Response(exposition(context), content_type=CONTENT_TYPE_LATEST)

    return views
