"""GET /models and /models/<name>."""

from __future__ import annotations

from flask import Blueprint, Response

from api.context import AppContext
from api.http.responses import json_response
from api.openapi.schemas import ModelList
from api.views.model_documents import ModelDocuments


def model_views(context: AppContext) -> Blueprint:
    views = Blueprint("models", __name__)
    documents = ModelDocuments(context.models, context.fleet, context.settings.default_model)

    @views.get("/models")
    def models() -> Response:
        return json_response(ModelList(models=[documents.summary(name) for name in documents.names()]))

    @views.get("/models/<name>")
    def model(name: str) -> Response:
        return json_response(documents.detail(name))

    return views
