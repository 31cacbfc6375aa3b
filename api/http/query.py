"""Reading query parameters."""

from __future__ import annotations

from flask import request

from api.http.problems import FieldError, invalid

LONGEST = 1000


def whole_number(name: str, otherwise: int, *, least: int, most: int | None = None) -> int:
    """The parameter as an integer within its bounds. Raises Problem, which names it."""
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
