"""GET /models and /models/<name>."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from api.model_documents import ModelDocuments
from api.schemas import ModelList
from api.services import Services


def model_views(services: Services) -> Blueprint:
    views = Blueprint("models", __name__)
    documents = ModelDocuments(services.models, services.fleet, services.settings.model)

    @views.get("/models")
    def models() -> dict[str, Any]:
        found = ModelList(models=[documents.summary(name) for name in documents.names()])
        return found.model_dump(mode="json")

    @views.get("/models/<name>")
    def model(name: str) -> dict[str, Any]:
        return documents.detail(name).model_dump(mode="json")

    return views
