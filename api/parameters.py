"""Reading query parameters."""

from __future__ import annotations

from flask import request

from api.problems import Fault, invalid


def whole_number(name: str, otherwise: int, *, least: int, most: int) -> int:
    """The parameter as an integer within its bounds. Raises Problem, which names it."""
    text = request.args.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most):
        raise invalid(Fault("parameter", name, f"a whole number from {least} to {most}"))
    return int(text)
