"""The OpenAPI 3.1 document: the operations with the schemas of the models that validate."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api import __version__
from api.http.problems import KINDS, MEDIA_TYPE
from api.openapi.operation import JSON, Operation, ResponseSpec
from api.openapi.operations import operations
from api.openapi.schemas import ProblemDocument
from api.openapi.webhooks import JobEnded, webhooks
from api.settings import ApiSettings

EVERYWHERE = ("bad-request", "uri-too-long", "headers-too-large")
"""Problems of HTTP itself, which any request can have."""
SERVERS = frozenset(EVERYWHERE)
"""They may be told before anybody knows which address was meant, and so which protocol."""
_REFERENCES = "#/components/schemas/{model}"
_DESCRIPTION = (
    "Classifies texts with a BERT model. Short questions are answered at once; big jobs are accepted, can be watched, "
    "and give their results while they run."
)


def openapi(settings: ApiSettings) -> dict[str, Any]:
    """The document for these settings: limits and the need of a key are what this service really asks for."""
    listed = operations(settings)
    paths: dict[str, dict[str, Any]] = {}
    for operation in listed:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, settings)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Retort", "version": __version__, "description": _DESCRIPTION, "license": {"name": "MIT"}},
        "paths": paths,
        "webhooks": webhooks(_reference(JobEnded)),
        "components": {"schemas": _schemas(listed)},
    }
    if settings.api_keys_file:
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    return document


def _schemas(listed: Iterable[Operation]) -> dict[str, Any]:
    models: dict[type[BaseModel], JsonSchemaMode] = {ProblemDocument: "validation", JobEnded: "validation"}
    for operation in listed:
        if operation.body:
            models[operation.body] = "validation"
        if operation.error:
            models[operation.error] = "validation"
        for answer in operation.answers:
            models |= {model: "validation" for model in answer.content.values() if isinstance(model, type)}
    _, definitions = models_json_schema(list(models.items()), by_alias=True, ref_template=_REFERENCES)
    found: dict[str, Any] = definitions["$defs"]
    return found


def _operation(operation: Operation, settings: ApiSettings) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": [parameter.as_openapi() for parameter in operation.parameters],
        "responses": _responses(operation, settings),
    }
    if operation.body:
        document["requestBody"] = {"required": True, "content": {"application/json": {
            "schema": _reference(operation.body), "examples": operation.examples}}}  # fmt: skip
    if settings.api_keys_file and operation.needs_key:
        document["security"] = [{"bearer": []}, {"key": []}]
    return document


def _responses(operation: Operation, settings: ApiSettings) -> dict[str, Any]:
    found = {str(answer.status): _answer(answer) for answer in operation.answers}
    names = [*operation.problems, *EVERYWHERE]
    if settings.api_keys_file and operation.needs_key:
        names += ["unauthorized", "rate-limited"]
    by_status: dict[int, list[str]] = {}
    for name in names:
        by_status.setdefault(KINDS[name].status, []).append(name)
    for status, same in by_status.items():
        found[str(status)] = _problem(same, operation.error)
    return found


def _answer(answer: ResponseSpec) -> dict[str, Any]:
    content = {
        media: {"schema": _reference(model) if isinstance(model, type) else model}
        for media, model in answer.content.items()
    }
    document: dict[str, Any] = {"description": answer.description}
    if content:
        document["content"] = content
    if answer.headers:
        document["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    return document


def _problem(names: Collection[str], error: type[BaseModel] | None) -> dict[str, Any]:
    titles = "; ".join(f"{KINDS[name].title} (`{name}`)" for name in names)
    content = {JSON: {"schema": _reference(error)}} if error else {}
    if not error or not SERVERS.isdisjoint(names):
        content[MEDIA_TYPE] = {"schema": _reference(ProblemDocument)}
    return {"description": titles, "content": content}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCES.format(model=model.__name__)}
