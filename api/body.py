"""Reading a request's JSON body, and saying exactly where it is wrong."""

from __future__ import annotations

import json
from typing import NoReturn, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import HTTPException

from api.problems import Fault, Problem, invalid

MOST_FAULTS = 20
LONGEST_NAME = 100
Document = TypeVar("Document", bound=BaseModel)


def read(request: Request, model: type[Document]) -> Document:
    """The validated body. Raises Problem: 413, 415, 400 with the place in the text, 422 with pointers."""
    _check_type(request)
    body = _received(request)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
            return _read_slowly(body, model, error)
        _refuse(error)


def _received(request: Request) -> bytes:
    """The whole body. Raises Problem when it is cut off or broken, RequestEntityTooLarge over the limit."""
    try:
        body = request.get_data(cache=False)
        # Flask reads a chunked body up to the limit and stops; only the next read shows that there is more.
        request.stream.read(1)
    except HTTPException:
        raise
    except Exception as error:  # each server has errors of its own for this
        raise Problem("bad-request", f"the body can't be read: {error}") from error
    if request.content_length is not None and len(body) < request.content_length:
        raise Problem("bad-request", f"the body ends after {len(body)} of {request.content_length} bytes")
    return body


def _read_slowly(body: bytes, model: type[Document], first: ValidationError) -> Document:
    """Python's own parser takes lone surrogates and huge numbers, so that the fault can be pointed at."""
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        detail = first.errors(include_input=False, include_url=False)[0]["msg"]
        raise Problem("invalid-json", detail, faults=[Fault("pointer", "", detail)]) from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        _refuse(error)


def _check_type(request: Request) -> None:
    if request.mimetype != "application/json":
        raise Problem(
            "unsupported-media-type",
            f"the body is {request.mimetype or 'of no stated type'}; send it with Content-Type: application/json",
            headers={"Accept": "application/json"},
        )
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Problem("unsupported-media-type", f"charset {charset!r}: JSON is sent in UTF-8 (RFC 8259)")
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Problem(
            "unsupported-media-type",
            f"Content-Encoding {encoding!r}: send the body as it is",
            headers={"Accept-Encoding": "identity"},
        )


def _refuse(error: ValidationError) -> NoReturn:
    faults = [_fault(detail) for detail in error.errors(include_input=False, include_url=False)[:MOST_FAULTS]]
    raise invalid(*faults) from None


def _fault(error: ErrorDetails) -> Fault:
    pointer = "".join(f"/{_token(part)}" for part in error["loc"])
    return Fault("pointer", pointer, _HELP.get(error["type"], error["msg"]))


def _token(part: int | str) -> str:
    """As RFC 6901 escapes it; names that only mischief makes so long are cut off."""
    text = str(part).replace("~", "~0").replace("/", "~1")
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


_HELP = {
    "list_type": "an array of strings, also for a single text",
    "extra_forbidden": "no such member",
    "string_unicode": "contains a lone surrogate, which is no character",
}
