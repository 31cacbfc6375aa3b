"""Reading a request's JSON body, and saying exactly where it is wrong."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar, get_args

from flask import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json
from werkzeug.exceptions import ClientDisconnected, HTTPException

from api.http.body_budget import SMALL_BYTES, BodyShare
from api.http.encodings import CountedSource, decoded
from api.http.problems import FieldError, Problem, invalid
from contract.hints import hint

EXAMPLE = '{"texts": ["how do I undo my last commit"]}'
FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
MOST_FAULTS = 20
MOST_PARTS = 1000
LONGEST_NAME = 100
Document = TypeVar("Document", bound=BaseModel)

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""A string, or the unfinished one at the end; possessive, so that no body makes it slow."""


def read(request: Request, model: type[Document], share: BodyShare, most_texts: int) -> Document:
    """The validated body. Raises Problem: 413, 415, 429, 400 with the place in the text, 422 with pointers."""
    _check_type(request)
    return validated(received(request, share), model, EXAMPLE, most_strings=most_texts, most_parts=MOST_PARTS)


def validated(text: bytearray, model: type[Document], example: str, *, most_strings: int, most_parts: int) -> Document:
    """The JSON document. Raises Problem: 400 with the place in the text, 422 with pointers.

    example: a short one, for who sends something else. A text of more strings than `most_strings` and MOST_PARTS, or of
    more lists, objects and members than `most_parts`, is not parsed at all.
    """
    if len(text) > SMALL_BYTES:
        _check_shape(text, most_strings, most_parts)
    document = _parsed(text)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _refusal(error, model, example) from None


def received(request: Request, share: BodyShare) -> bytearray:
    """The whole body, undone where it is compressed. Raises Problem when it is cut off, broken or a bomb.

    RequestEntityTooLarge, when more comes than the limit.
    """
    body = bytearray()
    source = CountedSource(request.stream)
    encoding = request.headers.get("Content-Encoding", "").strip().lower() or "identity"
    try:
        for part in decoded(source, encoding, request.max_content_length or sys.maxsize):
            share.add(len(part))
            body += part
    except ClientDisconnected as error:
        raise Problem("bad-request", "the rest of the body did not come") from error
    except (HTTPException, Problem):
        raise
    except Exception as error:  # each server has errors of its own for this
        raise Problem("bad-request", f"the body can't be read: {error}") from error
    if request.content_length is not None and source.count < request.content_length:
        raise Problem("bad-request", f"the body ends after {source.count} of {request.content_length} bytes")
    return body


def _parsed(body: bytearray) -> Any:
    """The JSON document. Raises Problem, which names line and column."""
    try:
        return from_json(body, cache_strings="keys")
    except ValueError as error:
        # Python's own parser takes lone surrogates, so that validation can point at them; some go deeper, too.
        if "recursion" not in str(error):
            with suppress(ValueError, RecursionError):
                return json.loads(body.decode())
        raise Problem("invalid-json", str(error), field_errors=[FieldError("pointer", "", str(error))]) from None


def _check_shape(body: bytearray, most_strings: int, most_parts: int) -> None:
    """Refuse millions of lists, members or strings before they take the memory and the time to parse them."""
    counted = most_strings + MOST_PARTS
    structure, strings = _STRING.subn(b"", body, count=counted)
    if strings == counted or sum(map(structure.count, (b"[", b"{", b":"))) > most_parts:
        raise invalid(
            FieldError("pointer", "", f"expected is one object with one list of at most {most_strings} strings")
        )


def _check_type(request: Request) -> None:
    if request.mimetype != "application/json":
        sent = request.mimetype or "of no stated type"
        if request.mimetype in FORMS:
            sent = f"a form ({request.mimetype}), which is what curl -d sends unless it is told otherwise"
        raise Problem(
            "unsupported-media-type",
            f"the body is {sent}; send it with Content-Type: application/json, {EXAMPLE} for example",
            headers={"Accept": "application/json"},
        )
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Problem("unsupported-media-type", f"charset {charset!r}: JSON is sent in UTF-8 (RFC 8259)")


def _refusal(error: ValidationError, model: type[BaseModel], example: str) -> Problem:
    errors = error.errors(include_input=False, include_url=False)[:MOST_FAULTS]
    return invalid(*(_fault(one, model, example) for one in errors))


def _fault(error: ErrorDetails, model: type[BaseModel], example: str) -> FieldError:
    pointer = "".join(f"/{_token(part)}" for part in error["loc"])
    help_text = _HELP.get(error["type"], error["msg"])
    if error["type"] == "model_type" and not error["loc"]:
        help_text = f"expected is one object, {example} for example"
    if error["type"] == "extra_forbidden":
        *path, name = error["loc"]
        help_text += hint(str(name), _members(model, path))
    return FieldError("pointer", pointer, help_text)


def _members(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """What the object at this place may have; nothing where that is no model of ours."""
    for part in path:
        field = model.model_fields.get(str(part))
        if field is None:
            continue  # the place in a list, or which of several types was tried
        found = next((each for each in (field.annotation, *get_args(field.annotation)) if _is_model(each)), None)
        if found is None:
            return []
        model = found
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _token(part: int | str) -> str:
    """Escape a member's name as RFC 6901 does; names that only mischief makes so long are cut off."""
    text = str(part).replace("~", "~0").replace("/", "~1")
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


_HELP = {
    "model_type": "expected is an object",
    "list_type": "an array of strings, also for a single text",
    "too_short": "the list is empty; give at least one text",
    "extra_forbidden": "no such member",
    "string_unicode": "contains a lone surrogate, which is no character",
}
