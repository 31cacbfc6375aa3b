"""GET / and the files of the page that browsers get there. They lie in api/page and are held in memory, compressed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, request

from api.context import AppContext
from api.http.problems import Problem

FOLDER = Path(__file__).parents[1] / "page"
INDEX = "index.html"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
"""The page loads nothing but its own files, asks nobody but this service, and can't make markup or code of a text."""
FOR_TERMINALS = """\
Retort says which label a text has. In a browser, this address shows a page to try it.

  curl {here}predict -H 'Content-Type: application/json' \\
       -d '{{"texts": ["how do I undo my last commit"]}}'

  {here}docs           every address, to try in the browser
  {here}openapi.json   the same for tools
  {here}health/ready   whether a text would be answered now
"""


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """One file of the page."""

    content: bytes
    compressed: bytes
    tag: str
    mimetype: str

    @classmethod
    def read(cls, path: Path) -> PageFile:
        content = path.read_bytes()
        tag = hashlib.sha256(content).hexdigest()[:16]
        return cls(content=content, compressed=gzip.compress(content, mtime=0), tag=tag, mimetype=TYPES[path.suffix])


def page_files() -> dict[str, PageFile]:
    """Every file of the page by its name."""
    return {path.name: PageFile.read(path) for path in FOLDER.iterdir() if path.suffix in TYPES}


def page_views(context: AppContext) -> Blueprint:  # noqa: ARG001  every module of views is called alike
    views = Blueprint("page", __name__)
    files = page_files()

    @views.get("/")
    def index() -> Response:
        if request.accept_mimetypes.best_match(["text/plain", "text/html"]) == "text/html":
            answer = _answer(files[INDEX])
        else:
            answer = Response(FOR_TERMINALS.format(here=request.host_url), mimetype="text/plain")
        answer.vary.add("Accept")
        return answer

    @views.get("/page/<name>")
    def file(name: str) -> Response:
        if name not in files:
            raise Problem("not-found", f"the page has no file {name[:100]!r}")
        return _answer(files[name])

    return views


def _answer(found: PageFile) -> Response:
    """The file, compressed for whoever takes that; 304 to a browser that has it."""
    zipped = request.accept_encodings.quality("gzip") > 0
    answer = Response(found.compressed if zipped else found.content, mimetype=found.mimetype)
    if zipped:
        answer.content_encoding = "gzip"
    answer.vary.add("Accept-Encoding")
    answer.set_etag(f"{found.tag}-gzip" if zipped else found.tag)
    answer.cache_control.no_cache = True
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.make_conditional(request)
    return answer
