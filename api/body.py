"""Reading a request's JSON body, and saying exactly where it is wrong."""

from __future__ import annotations

import json
from typing import NoReturn, TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.problems import Fault, Problem, invalid

MOST_FAULTS = 20
Document = TypeVar("Document", bound=BaseModel)


def read(request: Request, model: type[Document]) -> Document:
    """The validated body. Raises Problem: 413, 415, 400 with the place in the text, 422 with pointers."""
    _check_type(request)
    body = request.get_data(cache=False)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_input=False, include_url=False)[0]["type"] == "json_invalid":
            return _read_slowly(body, model, error)
        _refuse(error)


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
    pointer = "".join(f"/{_escaped(part)}" for part in error["loc"])
    return Fault("pointer", pointer, _HELP.get(error["type"], error["msg"]))


def _escaped(part: int | str) -> str:
    """As RFC 6901 wants it."""
    return str(part).replace("~", "~0").replace("/", "~1")


_HELP = {
    "list_type": "an array of strings, also for a single text",
    "extra_forbidden": "no such member",
    "string_unicode": "contains a lone surrogate, which is no character",
}
