"""What every answer tells a browser to do with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from flask import Flask, Response, request

PRIVATE = frozenset({"predict", "jobs", "inference"})
"""Blueprints whose answers belong to who asked."""
POLICY = "default-src 'none'; frame-ancestors 'none'"
"""For what is no page: nothing is loaded for it, and nobody frames it."""
OWN_PAGES = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
SWAGGER = f"{OWN_PAGES}; script-src 'self' 'unsafe-inline'"
"""Its page comes with its script inside, and draws with styles of its own."""
POLICIES = {"swagger_ui": SWAGGER, "docs": OWN_PAGES}


def install(app: Flask) -> None:
    """Set the headers; a view that has set one keeps its own."""

    @app.after_request
    def protect(response: Response) -> Response:
        given = {name.lower() for name, _ in response.headers}
        for key, name, value in _of(request.blueprint or "", "content-security-policy" in given):
            if key not in given:
                response.headers.add(name, value)
        return response


@cache
def _of(blueprint: str, has_policy: bool) -> Sequence[tuple[str, str, str]]:
    """Each header's name in lower case, its name and its value."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": POLICIES.get(blueprint, POLICY),
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if not has_policy:  # its own says who may frame it
        headers["X-Frame-Options"] = "DENY"
    if blueprint in PRIVATE:
        headers["Cache-Control"] = "no-store"
    return [(name.lower(), name, value) for name, value in headers.items()]
