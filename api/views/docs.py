"""GET /openapi.json, /docs (the same document to read and try out) and /problems (what each error means)."""

from __future__ import annotations

import json
import re
from functools import cache

from flask import Blueprint, Response, render_template
from flask_swagger_ui import get_swaggerui_blueprint  # type: ignore[import-untyped]
from markupsafe import Markup, escape

from api.context import AppContext
from api.http.problems import KINDS
from api.openapi.document import openapi


def doc_views(context: AppContext) -> Blueprint:
    views = Blueprint("docs", __name__)
    # Made when first asked for: it takes longer to make than the rest of the application.
    document = cache(lambda: json.dumps(openapi(context.settings)))
    views.add_app_template_filter(_code, "code")

    @views.get("/openapi.json")
    def openapi_json() -> Response:
        return Response(document(), mimetype="application/json")

    @views.get("/problems")
    def problems() -> str:
        return render_template("problems.html", kinds=KINDS)

    return views


def swagger_ui() -> Blueprint:
    """The interactive page with its assets, all from this service; no validator on the internet is asked."""
    config = {
        "app_name": "Retort",
        "validatorUrl": None,
        "oauth2RedirectUrl": None,
        "tryItOutEnabled": True,
        "displayRequestDuration": True,
    }
    made: Blueprint = get_swaggerui_blueprint("/docs", "/openapi.json", config)
    return made


def _code(text: str) -> Markup:
    """What stands in backticks, set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped before
