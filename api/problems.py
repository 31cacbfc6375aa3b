"""Every error that a client can meet: its type, status and title in one table (RFC 9457, problem details for HTTP).

The type is a link to its paragraph in docs/problems.md, which the service shows at /problems.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import Response
from werkzeug.exceptions import HTTPException

from contract.errors import BacklogFull, RetortError, StoreUnavailable

STORE_RETRY_S = "2"
MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """What all problems of one type have in common."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(400, "The request is malformed"),
    "invalid-json": Kind(400, "The body is not valid JSON"),
    "unauthorized": Kind(401, "A valid API key is needed"),
    "not-found": Kind(404, "There is nothing at this address"),
    "unknown-job": Kind(404, "No such job"),
    "no-model": Kind(404, "No such model"),
    "method-not-allowed": Kind(405, "This address does not take this method"),
    "not-acceptable": Kind(406, "None of the accepted media types is offered"),
    "gone-job": Kind(410, "The job is gone"),
    "too-large": Kind(413, "The body is too large"),
    "uri-too-long": Kind(414, "The address is too long"),
    "unsupported-media-type": Kind(415, "The body has an unsupported type or encoding"),
    "invalid-request": Kind(422, "Parts of the request are not valid"),
    "idempotency-conflict": Kind(422, "The idempotency key was used for another request"),
    "rate-limited": Kind(429, "This API key has used up its rate"),
    "backlog-full": Kind(429, "The backlog is full"),
    "internal-error": Kind(500, "The service failed"),
    "store-unavailable": Kind(503, "The job store does not answer"),
}


class Fault(NamedTuple):
    """One thing that is wrong, and where: `place` is pointer (RFC 6901, into the body), parameter or header."""

    place: str
    where: str
    detail: str

    def document(self) -> dict[str, str]:
        return {self.place: self.where, "detail": self.detail}


class Problem(Exception):
    """Ends the request with this problem."""

    def __init__(
        self, kind: str, detail: str, *, faults: Iterable[Fault] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def invalid(*faults: Fault) -> Problem:
    """A request of which these parts are not valid."""
    return Problem("invalid-request", "; ".join(f"{fault.where}: {fault.detail}" for fault in faults), faults=faults)


def response(problem: Problem, request_id: str) -> Response:
    """The problem as an HTTP answer."""
    kind = KINDS[problem.kind]
    document: dict[str, Any] = {
        "type": f"/problems#{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.faults:
        document["errors"] = [fault.document() for fault in problem.faults]
    answer = Response(json.dumps(document, ensure_ascii=True), kind.status, mimetype=MEDIA_TYPE)
    answer.headers.update(problem.headers)
    return answer


def of_error(error: RetortError) -> Problem:
    """The problem of an error of the contract; its code is the problem's type."""
    if error.code not in KINDS:
        return Problem("internal-error", "the service met an error that it does not explain to clients")
    headers = {}
    if isinstance(error, BacklogFull):
        headers["Retry-After"] = str(error.retry_after_s)
    elif isinstance(error, StoreUnavailable):
        headers["Retry-After"] = STORE_RETRY_S
    return Problem(error.code, str(error), headers=headers)


_OF_STATUS = {
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    500: "internal-error",
}


def of_http(error: HTTPException) -> Problem:
    """The problem of an error that Flask raised by itself, with its headers, such as Allow."""
    kind = _OF_STATUS.get(error.code or 500, "bad-request")
    headers = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    return Problem(kind, error.description or KINDS[kind].title, headers=headers)
