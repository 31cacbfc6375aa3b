"""Loaded by schemathesis itself: what no schema can say of a request.

An idempotency key stands for one request, and a well-formed name of a model is refused unless there is such a model.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

import schemathesis

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@schemathesis.hook
def before_call(_context: Any, case: Any, _arguments: dict[str, Any]) -> None:
    key = (case.headers or {}).get("Idempotency-Key")
    if key and 1 <= len(key) <= 200:
        case.headers["Idempotency-Key"] = f"{key}{uuid.uuid4()}"
    if isinstance(case.body, dict) and NAME.fullmatch(str(case.body.get("model", "-"))):
        case.body["model"] = "default"
