"""Every error that a client can meet: its type, status, title and remedy in one table (RFC 9457, problem details).

The type is a link to its paragraph on the page that the service shows at /problems. `python -m api.http.problems`
prints the same as Markdown: docs/problems.md.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flask import Response
from werkzeug.exceptions import HTTPException

from contract.errors import BacklogFull, RetortError, StoreUnavailable

log = logging.getLogger(__name__)

STORE_RETRY_S = "2"
MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """What all problems of one type have in common."""

    status: int
    title: str
    help: str


KINDS: Mapping[str, Kind] = {
    "bad-request": Kind(
        400, "The request is malformed", "The request breaks HTTP itself: a cut-off body, a bad header, a bad address."
    ),
    "invalid-json": Kind(
        400, "The body is not valid JSON", "`detail` names line and column. The body must be one JSON object in UTF-8."
    ),
    "unauthorized": Kind(
        401,
        "A valid API key is needed",
        "Send the key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`. Whoever runs the service issues keys.",
    ),
    "not-found": Kind(404, "There is nothing at this address", "`/docs` lists every address."),
    "unknown-job": Kind(
        404, "No such job", "The id was never issued by this service, or the job belongs to another caller."
    ),
    "no-model": Kind(404, "No such model", "`GET /models` lists the models that are published or served."),
    "no-version": Kind(
        404,
        "The model is not served in this version",
        "`GET /v2/models/NAME` lists the versions that workers serve. Without a version, whichever is served answers.",
    ),
    "method-not-allowed": Kind(405, "This address does not take this method", "`Allow` lists the methods it takes."),
    "not-acceptable": Kind(
        406,
        "None of the accepted media types is offered",
        "Results are offered as `application/json`, `application/x-ndjson` and `text/csv`.",
    ),
    "not-in-time": Kind(
        408,
        "The answer takes longer than the request waits",
        "The job is accepted and goes on: `Location` and `detail` say where its answer will be. Wait longer with "
        "`?wait=`, or send texts by the thousand to `POST /predict`. Only below `/v2`.",
    ),
    "gone-job": Kind(
        410,
        "The job is gone",
        "The job was deleted or cancelled, or ended so long ago that its results were dropped. Send the texts again; "
        "if they were sent with an `Idempotency-Key`, with a new one.",
    ),
    "too-large": Kind(
        413,
        "The body is too large",
        "Send the texts in several requests. What comes out of a compressed body counts, and how much of how little.",
    ),
    "uri-too-long": Kind(414, "The address is too long", "Texts belong into the body of `POST /predict`."),
    "misdirected": Kind(
        421,
        "The service does not go by this name",
        "`Host` names another service. Use an address, `localhost`, or a name that `RETORT_ALLOWED_HOSTS` lists.",
    ),
    "unsupported-media-type": Kind(
        415,
        "The body has an unsupported type or encoding",
        "Send JSON in UTF-8 with `Content-Type: application/json`, as it is or as `gzip` or `zstd`.",
    ),
    "invalid-request": Kind(
        422,
        "Parts of the request are not valid",
        "`errors` lists what is wrong: a `pointer` (RFC 6901) into the body, a query `parameter` or a `header`, each "
        "with what is expected. Nothing was stored.",
    ),
    "texts-not-predicted": Kind(
        422,
        "Some texts could not be predicted",
        "Ask for the output `error`, too, or for no outputs by name: then each text has its error in its place, and "
        "all others have their answers. Only below `/v2`.",
    ),
    "idempotency-conflict": Kind(
        422,
        "The idempotency key was used for another request",
        "A key stands for one request: the same texts, options, model and deadline. Use a new key for a new request.",
    ),
    "headers-too-large": Kind(431, "The headers are too large", "Send fewer or shorter headers."),
    "rate-limited": Kind(
        429, "This API key has used up its rate", "Try again after `Retry-After` seconds, or ask for a higher rate."
    ),
    "too-many-waiting": Kind(
        429,
        "Too many requests wait already",
        "As many of your requests, or of all, wait or stream results as may do so at once. Nothing was stored. Try "
        "again after `Retry-After` seconds, or without waiting: `Prefer: respond-async`, `wait=0`.",
    ),
    "too-many-bodies": Kind(
        429,
        "Too many bodies are coming in",
        "The bodies that arrive together have reached their bound. Nothing was stored. Try again after `Retry-After` "
        "seconds.",
    ),
    "backlog-full": Kind(
        429,
        "The backlog is full",
        "Nothing was stored. Try again after `Retry-After` seconds: by then the workers should have made room, at the "
        "rate they are measured to work at. Add workers when this happens often.",
    ),
    "internal-error": Kind(
        500,
        "The service failed",
        "The service's log holds the cause under the same `request_id`. Trying again is safe.",
    ),
    "not-implemented": Kind(501, "The service does not know this part of HTTP", "Send the body whole or chunked."),
    "store-unavailable": Kind(
        503,
        "The job store does not answer",
        "Redis can't be reached or takes no writes. Accepted jobs are safe. Try again after `Retry-After` seconds, "
        "with the same `Idempotency-Key` if there was one.",
    ),
}


class FieldError(NamedTuple):
    """One thing that is wrong, and where: `place` is pointer (RFC 6901, into the body), parameter or header."""

    place: str
    where: str
    detail: str

    def as_dict(self) -> dict[str, str]:
        return {self.place: self.where, "detail": self.detail}


class Problem(Exception):
    """Ends the request with this problem."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        field_errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.field_errors = tuple(field_errors)
        self.headers = dict(headers or {})


def invalid(*field_errors: FieldError) -> Problem:
    """The problem of a request of which these parts are not valid."""
    detail = "; ".join(f"{fault.where or 'the body'}: {fault.detail}" for fault in field_errors)
    return Problem("invalid-request", detail, field_errors=field_errors)


def as_json(problem: Problem, request_id: str) -> str:
    """The problem as RFC 9457 writes it."""
    kind = KINDS[problem.kind]
    document: dict[str, Any] = {
        "type": f"/problems#{problem.kind}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.field_errors:
        document["errors"] = [fault.as_dict() for fault in problem.field_errors]
    return json.dumps(document)


def response(problem: Problem, request_id: str) -> Response:
    """The problem as an HTTP answer."""
    answer = Response(as_json(problem, request_id), KINDS[problem.kind].status, mimetype=MEDIA_TYPE)
    answer.headers.update(problem.headers)
    return answer


def of_error(error: RetortError) -> Problem:
    """The problem of an error of the contract; its code is the problem's type."""
    if error.code not in KINDS:
        log.error("an error without a problem of its own", exc_info=error)
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
    413: "too-large",
    414: "uri-too-long",
    415: "unsupported-media-type",
    500: "internal-error",
}


NOT_FOUND_HINT = "GET / says where to begin, and /openapi.json lists every address"


def of_http(error: HTTPException, method_hint: str | None = None) -> Problem:
    """The problem of an error that Flask raised by itself, with its headers, such as Allow.

    method_hint: what to do instead, when the address does not take the method.
    """
    kind = _OF_STATUS.get(error.code or 500, "bad-request")
    headers = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    hints = {"not-found": NOT_FOUND_HINT, "method-not-allowed": method_hint}
    described = hints.get(kind) or error.description
    return Problem(kind, described or KINDS[kind].title, headers=headers)


def markdown() -> str:
    """The text of docs/problems.md."""
    parts = [
        "# Problems",
        "Every error is answered as `application/problem+json` (RFC 9457). Its `type` points to a paragraph of this "
        "page, which a running service shows at `/problems`. `request_id` is in the answer's `X-Request-Id` and in the "
        "service's log.",
        "This page is made by `python -m api.http.problems > docs/problems.md`.",
    ]
    for name, kind in KINDS.items():
        parts += [f"## {name}", f"**{kind.status}: {kind.title}.** {kind.help}"]
    return "\n\n".join(parts)


if __name__ == "__main__":
    print(markdown())
