"""Errors in the words of whoever asks: problem details, or what the Open Inference Protocol prescribes below /v2."""

from __future__ import annotations

import json

from flask import Response

from api.http import problems
from api.http.problems import KINDS, Problem

PREFIX = "/v2"
"""Where the Open Inference Protocol has its addresses."""


def response(problem: Problem, path: str, request_id: str) -> Response:
    """The problem as an answer to a request to `path`."""
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return problems.response(problem, request_id)
    kind = KINDS[problem.kind]
    answer = Response(
        json.dumps({"error": f"{kind.title}: {problem.detail}"}), kind.status, mimetype="application/json"
    )
    answer.headers.update(problem.headers)
    return answer
