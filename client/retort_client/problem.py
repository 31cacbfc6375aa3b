"""Problem details (RFC 9457): why the service refused a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses
from typing import Any

SHOWN_CHARS = 300


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: `where` is a JSON pointer into the body (RFC 6901), or names a parameter or header."""

    where: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What the service says of a request that it did not carry out."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    """The service's log carries it too."""
    faults: tuple[Fault, ...] = ()

    @property
    def code(self) -> str:
        """The type without its address: `backlog-full`."""
        return self.type.replace("#", "/").rpartition("/")[2]

    def __str__(self) -> str:
        """One line: title, status, code, detail, what is wrong where, request id."""
        told = f"{self.title} ({self.status} {self.code}): {self.detail}"
        more = [f"{fault.where}: {fault.detail}" for fault in self.faults if fault.detail not in self.detail]
        asked = f" [request {self.request_id}]" if self.request_id else ""
        return "; ".join([told, *more]) + asked


def parse(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """The problem in a reply; of one that comes from elsewhere, such as a proxy's page, what it shows."""
    try:
        document = json.loads(body)
        return _of_document(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        shown = headers.get("Location") or body[:SHOWN_CHARS].decode(errors="replace").strip() or "no explanation"
        return Problem(
            type="about:blank",
            title=responses.get(status, "Unknown"),
            status=status,
            detail=shown,
            request_id=headers.get("X-Request-Id"),
        )


def _of_document(document: Mapping[str, Any]) -> Problem:
    return Problem(
        type=document["type"],
        title=document["title"],
        status=document["status"],
        detail=document["detail"],
        request_id=document.get("request_id"),
        faults=tuple(_fault(one) for one in document.get("errors", ())),
    )


def _fault(document: Mapping[str, str]) -> Fault:
    where = next((document[place] for place in ("pointer", "parameter", "header") if place in document), "")
    return Fault(where, document["detail"])
