"""Reading query parameters."""

from __future__ import annotations

from typing import TypeVar

from flask import request

from api.http.problems import FieldError, invalid

LONGEST = 1000


Default = TypeVar("Default", int, None)


def whole_number(name: str, otherwise: Default, *, least: int, most: int | None = None) -> int | Default:
    """The parameter as an integer within its bounds; `otherwise` when it is absent. Raises Problem, which names it."""
    text = request.args.get(name)
    if text is None:
        return otherwise
    found = int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST else -1
    if found < least or (most is not None and found > most):
        raise invalid(
            FieldError(
                "parameter",
                name,
                f"a whole number from {least} to {most}" if most else f"a whole number, {least} or more",
            )
        )
    return found
