"""Loaded by schemathesis itself: what no schema can say of a request.

An idempotency key stands for one request, a well-formed name of a model is refused unless there is such a model, and
webhooks go to hosts that are allowed.
A tensor has as many texts as its shape says, not all models give all outputs, and each request waits for its answer.
"""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from typing import Any

import schemathesis

OF_SOME = frozenset({"labels", "top_label", "top_score"})
"""Outputs of other models, or of other parameters. The one for errors keeps an empty text from failing the others."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@schemathesis.hook
def before_call(_context: Any, case: Any, _arguments: dict[str, Any]) -> None:
    key = (case.headers or {}).get("Idempotency-Key")
    if key and 1 <= len(key) <= 200:
        case.headers["Idempotency-Key"] = f"{key}{uuid.uuid4()}"
    if isinstance(case.body, dict):
        case.body.pop("webhook", None)
        if NAME.fullmatch(str(case.body.get("model", "-"))):
            case.body["model"] = "default"
    if case.path.startswith("/v2/models/") and NAME.fullmatch(str(case.path_parameters.get("name", "-"))):
        case.path_parameters["name"] = "default"
    if case.path.endswith("/infer"):
        _agree(case)


def _agree(case: Any) -> None:
    """Make the parts of a well-formed message agree; what is not well-formed stays as it is."""
    with suppress(AttributeError, KeyError, TypeError, IndexError):
        tensor = case.body["inputs"][0]
        if all(size > 0 and size % 1 == 0 for size in tensor["shape"]) and len(tensor["shape"]) in (1, 2):
            tensor["shape"] = [len(tensor["data"])]
    with suppress(AttributeError, KeyError, TypeError):
        case.body["outputs"] = [output for output in case.body["outputs"] if output.get("name") not in OF_SOME]
        if case.body["outputs"]:
            case.body["outputs"][0]["name"] = "error"
