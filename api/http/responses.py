"""Documents of the API as HTTP answers."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel


def json_response(found: BaseModel, status: int = 200) -> Response:
    """The model as JSON, its members in the order in which it declares them."""
    return Response(found.model_dump_json(by_alias=True), status, mimetype="application/json")
