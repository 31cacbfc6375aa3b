"""The Flask application: services, views, and the hooks around every request."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.context import AppContext
from api.http import auth, compression, headers, hosts, probes, problems, protocols, request_log, tracing
from api.http.problems import Problem
from api.openapi import misspelt
from api.server import logs
from api.settings import ApiSettings
from api.views import request_metrics
from api.views.docs import doc_views, swagger_ui
from api.views.health import health_views
from api.views.inference import inference_views
from api.views.inference_models import inference_health_views, inference_model_views
from api.views.jobs import job_views
from api.views.metrics import metrics_views
from api.views.models import model_views
from api.views.page import page_views
from api.views.predict import predict_views
from api.views.reports import report_link_views, report_views
from api.views.status import status_views
from contract.errors import RetortError
from contract.rate_limit import RequestCounter

log = logging.getLogger(__name__)

VIEWS = (
    page_views, predict_views, job_views, model_views, report_views, report_link_views, status_views, health_views,
    inference_views, inference_model_views, inference_health_views, metrics_views, doc_views,
)  # fmt: skip


METHOD_HINTS = {"/predict": "texts are sent to it by POST; /docs lets you try that in the browser"}
"""What to do where people use another method than an address takes."""


def create_app(settings: ApiSettings | None = None) -> Flask:
    """The WSGI application; its services are in `extensions["retort"]`. Raises BadSettings."""
    settings = settings or ApiSettings.load()
    logs.configure(settings.log_level)
    context = AppContext.start(settings, request_metrics.unreadable())
    app = Flask("api", static_folder=None)
    app.extensions["retort"] = context
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    tracing.install(app, settings.traces_url)
    request_log.install(app)
    request_metrics.install(app)
    probes.install(app)
    hosts.install(app, settings.allowed_hosts)
    auth.install(app, context.keys, RequestCounter(context.store))
    misspelt.install(app, settings)
    headers.install(app)
    compression.install(app)
    _answer_errors_with_problems(app)
    for views in VIEWS:
        app.register_blueprint(views(context))
    app.register_blueprint(swagger_ui())
    return app


def _answer_errors_with_problems(app: Flask) -> None:
    def answer(problem: Problem) -> Response:
        return protocols.response(problem, request.path, g.request_id)

    @app.errorhandler(Problem)
    def refuse(problem: Problem) -> Response:
        return answer(problem)

    @app.errorhandler(HTTPException)
    def explain(error: HTTPException) -> Response:
        return answer(problems.of_http(error, METHOD_HINTS.get(request.path)))

    @app.errorhandler(RetortError)
    def translate(error: RetortError) -> Response:
        return answer(problems.of_error(error))

    @app.errorhandler(Exception)
    def admit_failure(error: Exception) -> Response:
        log.exception("request failed", exc_info=error, extra={"request": g.request_id})
        return answer(Problem("internal-error", f"the cause is in the service's log, under request {g.request_id}"))
