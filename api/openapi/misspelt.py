"""Query parameters that are nearly those of an operation, or belong into its body, are refused with a hint.

Any other unknown parameter is passed over, as caches and trackers add theirs.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from flask import Flask, request

from api.http.problems import FieldError, invalid
from api.openapi.operations import operations
from api.settings import ApiSettings
from contract.hints import nearest

LIKENESS = 0.7


def install(app: Flask, settings: ApiSettings) -> None:
    known = {
        (operation.method, operation.path): (
            {parameter.name for parameter in operation.parameters if parameter.where == "query"},
            operation.body.model_fields.keys() if operation.body else (),
        )
        for operation in operations(settings)
    }

    @app.before_request
    def check() -> None:
        if not request.args:
            return
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule) if request.url_rule else ""
        method = "get" if request.method == "HEAD" else request.method.lower()
        parameters, members = known.get((method, path), ((), ()))
        faults = [fault for name in request.args if (fault := _fault(name, parameters, members))]
        if faults:
            raise invalid(*faults)


def _fault(name: str, parameters: Collection[str], members: Collection[str]) -> FieldError | None:
    if name in parameters:
        return None
    if name in members:
        return FieldError("parameter", name, "belongs into the body")
    near = nearest(name, parameters, LIKENESS)
    return FieldError("parameter", name, f"no such parameter: did you mean {near!r}?") if near else None
