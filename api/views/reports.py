"""The training report of a version, out of its artifact: for callers with their key, and for a frame with a link.

A frame of the page can't send an API key, and a key has no place in an address. So a caller makes a link, an address
with a random part that opens this one report for some minutes.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import redis
from flask import Blueprint, Response, send_file

from api.context import AppContext
from api.http.problems import Problem
from api.http.responses import json_response
from api.openapi.schemas import ReportLink
from contract.artifact import read_manifest
from contract.errors import BadArtifact
from contract.model_store import VERSION, ModelStore
from contract.report_links import LinkStore

REPORT, PAGE = "report", "index.html"
LINK_S = 600
TYPES = {".html": "text/html", ".png": "image/png", ".svg": "image/svg+xml", ".css": "text/css"}
"""What a frame shows; anything else is offered as a file to keep."""
POLICY = "; ".join(
    [
        "sandbox",
        "default-src 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ]
)
"""A report is a document and no program: it runs no script, has no origin, and asks for nothing but its pictures."""


class ReportLinks:
    """Links in Redis, where every process of the API finds them. Raises StoreUnavailable."""

    def __init__(self, client: redis.Redis) -> None:
        self._links = LinkStore(client)

    def make(self, name: str, version: str) -> str:
        """The random part of a new link."""
        token = secrets.token_urlsafe(24)
        self._links.keep(token, f"{name}/{version}", LINK_S)
        return token

    def opened(self, token: str) -> tuple[str, str] | None:
        """Name and version of the model whose report the link opens; None when it has run out."""
        found = self._links.target(token)
        if found is None:
            return None
        name, _, version = found.partition("/")
        return name, version


def report_file(models: ModelStore, name: str, version: str, file: str) -> Path:
    """Where the file of the report lies. Raises Problem for one that the version's manifest does not list."""
    absent = Problem("not-found", f"version {version[:80]!r} of model {name[:80]!r} has no report with {file[:80]!r}")
    if not (VERSION.fullmatch(name) and VERSION.fullmatch(version)):
        raise absent
    folder = models.path(name, version)
    try:
        listed = f"{REPORT}/{file}" in read_manifest(folder).files
    except BadArtifact:
        raise absent from None
    path = folder / REPORT / file
    if not listed or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise absent
    return path


def report_views(context: AppContext) -> Blueprint:
    """The two addresses that need a key where keys are set."""
    views = Blueprint("reports", __name__)
    links = ReportLinks(context.store)

    @views.get("/models/<name>/versions/<version>/report/<file>")
    def report(name: str, version: str, file: str) -> Response:
        return _sandboxed(report_file(context.models, name, version, file))

    @views.post("/models/<name>/versions/<version>/report")
    def link(name: str, version: str) -> Response:
        report_file(context.models, name, version, PAGE)
        token = links.make(name, version)
        return json_response(ReportLink(address=f"/reports/{token}/{PAGE}", expires_s=LINK_S), 201)

    return views


def report_link_views(context: AppContext) -> Blueprint:
    """The address that a link opens, which needs no key."""
    views = Blueprint("report_links", __name__)
    links = ReportLinks(context.store)

    @views.get("/reports/<token>/<file>")
    def linked(token: str, file: str) -> Response:
        found = links.opened(token) if len(token) < 100 else None
        if found is None:
            raise Problem("not-found", "this link has run out; open the report anew")
        return _sandboxed(report_file(context.models, *found, file))

    return views


def _sandboxed(path: Path) -> Response:
    kind = TYPES.get(path.suffix)
    answer = send_file(path, kind or "application/octet-stream", as_attachment=kind is None, max_age=None)
    answer.headers["Content-Security-Policy"] = POLICY
    # A sandboxed document has no origin, so its own pictures are another's to it.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer
