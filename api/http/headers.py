"""What every answer tells a browser to do with it."""

from __future__ import annotations

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
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": POLICIES.get(request.blueprint or "", POLICY),
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        if "Content-Security-Policy" not in response.headers:  # its own policy says who may frame it
            headers["X-Frame-Options"] = "DENY"
        if request.blueprint in PRIVATE:
            headers["Cache-Control"] = "no-store"
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response
