"""The Open Inference Protocol's questions about the server and its models: GET /v2, /v2/health/…, /v2/models/<name>…"""

from __future__ import annotations

import re

from flask import Blueprint, Response

from api import __version__
from api.context import AppContext
from api.http.problems import Problem
from api.http.responses import json_response
from api.openapi.inference_schemas import (
    INPUT,
    InferenceModel,
    InferenceServer,
    ModelReady,
    ServerLive,
    ServerReady,
    TensorMetadata,
)
from api.views.health import why_not_live, why_not_ready
from contract.artifact import NAME_PATTERN
from contract.errors import NoModel

ANY = -1
"""A size that varies."""
PLATFORM = "tensorflow_safetensors"
"""As `<project>_<format>`: what computes, and what the weights lie in."""
EXTENSIONS = ("binary_tensor_data", "parameters")


def inference_health_views(context: AppContext) -> Blueprint:
    views = Blueprint("inference_health", __name__)

    @views.get("/v2/health/live")
    def live() -> Response:
        found = not why_not_live(context)
        return json_response(ServerLive(live=found), 200 if found else 503)

    @views.get("/v2/health/ready")
    def ready() -> Response:
        found = not why_not_ready(context)
        return json_response(ServerReady(live=True, ready=found), 200 if found else 503)

    return views


def inference_model_views(context: AppContext) -> Blueprint:
    views = Blueprint("inference_models", __name__)

    def metadata(name: str, version: str | None) -> Response:
        refuse_unserved(context, name, version)
        return json_response(_metadata(context, name, version))

    def ready(name: str, version: str | None) -> Response:
        refuse_unserved(context, name, version)
        found = not context.store_watch.complaint and name in context.fleet.served()
        return json_response(ModelReady(name=name, ready=found), 200 if found else 503)

    @views.get("/v2")
    def server() -> Response:
        return json_response(InferenceServer(name="retort", version=__version__, extensions=list(EXTENSIONS)))

    @views.get("/v2/models/<name>")
    def model(name: str) -> Response:
        return metadata(name, None)

    @views.get("/v2/models/<name>/versions/<version>")
    def model_version(name: str, version: str) -> Response:
        return metadata(name, version)

    @views.get("/v2/models/<name>/ready")
    def model_ready(name: str) -> Response:
        return ready(name, None)

    @views.get("/v2/models/<name>/versions/<version>/ready")
    def model_version_ready(name: str, version: str) -> Response:
        return ready(name, version)

    return views


def refuse_unserved(context: AppContext, name: str, version: str | None) -> None:
    """Raises NoModel for a model that is not here, and Problem for a version of it that nobody would answer with."""
    if why_not := _why_no_model(context, name):
        raise NoModel(why_not)
    if version is not None and version not in (known := served_versions(context, name)):
        raise other_version(name, version, " or ".join(known) or "none")


def served_versions(context: AppContext, name: str) -> list[str]:
    """The versions that ready workers serve; where there are none, the one that they will. Oldest first."""
    serving = {served.version for served in context.fleet.ready(name) if served.version}
    if serving:
        return sorted(serving)
    try:
        return [context.models.current(name)]
    except NoModel:
        return []


def other_version(name: str, asked: str, served: str) -> Problem:
    return Problem("no-version", f"{asked[:100]!r} of model {name!r} is not served, but {served}")


def _why_no_model(context: AppContext, name: str) -> str | None:
    if not re.fullmatch(NAME_PATTERN, name):
        return f"{name[:100]!r} is no name of a model"
    return context.why_not_served(name)


def _metadata(context: AppContext, name: str, version: str | None) -> InferenceModel:
    versions = served_versions(context, name)
    manifest = context.manifest(name, version or (versions[-1] if versions else None))
    labels = len(manifest.labels) if manifest else ANY
    multi_label = manifest is not None and manifest.label_thresholds is not None
    return InferenceModel(
        name=name,
        versions=versions,
        platform=PLATFORM,
        inputs=[TensorMetadata(name=INPUT, datatype="BYTES", shape=[ANY])],
        outputs=_outputs(labels, multi_label=multi_label),
    )


def _outputs(labels: int, *, multi_label: bool) -> list[TensorMetadata]:
    chosen = [TensorMetadata(name="labels", datatype="BYTES", shape=[ANY])]
    if not multi_label:
        chosen = [
            TensorMetadata(name="label", datatype="BYTES", shape=[ANY]),
            TensorMetadata(name="score", datatype="FP32", shape=[ANY]),
            TensorMetadata(name="review", datatype="BOOL", shape=[ANY]),
        ]
    return [
        *chosen,
        TensorMetadata(name="unfamiliar", datatype="BOOL", shape=[ANY]),
        TensorMetadata(name="tokens", datatype="INT32", shape=[ANY]),
        TensorMetadata(name="truncated", datatype="BOOL", shape=[ANY]),
        TensorMetadata(name="unknown", datatype="FP32", shape=[ANY]),
        TensorMetadata(name="windows", datatype="INT32", shape=[ANY]),
        TensorMetadata(name="error", datatype="BYTES", shape=[ANY]),
        TensorMetadata(name="top_label", datatype="BYTES", shape=[ANY, ANY]),
        TensorMetadata(name="top_score", datatype="FP32", shape=[ANY, ANY]),
        TensorMetadata(name="scores", datatype="FP32", shape=[ANY, labels]),
        TensorMetadata(name="classes", datatype="BYTES", shape=[labels]),
    ]
