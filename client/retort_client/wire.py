"""Requests and replies as values: everything that is sent is built here, without any input or output."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict
from urllib.parse import quote


class Options(TypedDict, total=False):
    """How texts are to be predicted; the service's defaults hold for what is left out."""

    top_k: int
    """Labels per text, best first; more than one fills `Prediction.top`."""
    scores: bool
    """Fill `Prediction.scores` with every label's score."""
    threshold: float
    """Score from which a label holds, for all labels, where a text may have several."""
    long: Literal["cut", "mean", "max"]
    """How a text longer than the model's maximum is read: cut off, or in windows whose logits are pooled."""
    span: bool
    """Fill `Prediction.span` where a text was cut off."""
    truncate: Literal["right", "left", "error"]
    """Which end of a text longer than the model's maximum is cut off; or an error in its place."""
    deadline_s: int
    """Seconds from now; what is not predicted by then never will be."""
    model: str
    """The model to ask instead of the default one."""
    webhook: str
    """Address that the service tells of the job's end; `retort_client.webhooks` verifies what comes."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    query: Mapping[str, int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    wait_s: int = 0
    """How long the service is asked to wait before it replies."""


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Whose names are looked up without regard to case."""
    body: bytes


@dataclass(frozen=True)
class TransportFailure:
    """Nothing came back, or not all of it."""

    why: str


def submission(texts: Sequence[str], options: Options, key: str | None) -> Request:
    """POST /predict that does not wait. `key`: the Idempotency-Key; a new one when None."""
    if isinstance(texts, str):
        raise TypeError("texts is a list of strings, also for a single text")
    document = {"texts": list(texts), **options}
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": key or str(uuid.uuid4()),
        "Prefer": "respond-async",
    }
    return Request(method="POST", path="/predict", headers=headers, body=_json(document))


def waiting(request: Request, wait_s: int) -> Request:
    """The same request, whose reply the service may delay up to `wait_s` seconds (RFC 7240)."""
    headers = {**request.headers, "Prefer": f"wait={wait_s}"}
    return Request(
        method=request.method, path=request.path, query=request.query, headers=headers, body=request.body, wait_s=wait_s
    )


def job(job_id: str) -> Request:
    return Request(method="GET", path=_job_path(job_id))


def removal(job_id: str) -> Request:
    return Request(method="DELETE", path=_job_path(job_id))


def results(job_id: str, start: int) -> Request:
    """A page of results from text `start` on, as long as the service allows."""
    return Request(
        method="GET", path=f"{_job_path(job_id)}/results", query={"from": start}, headers={"Accept": "application/json"}
    )


def models() -> Request:
    return Request(method="GET", path="/models")


def model(name: str) -> Request:
    return Request(method="GET", path=f"/models/{quote(name, safe='')}")


def _job_path(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _json(document: object) -> bytes:
    try:
        return json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # A lone surrogate, which UTF-8 can't express; the service says in which text it is.
        return json.dumps(document).encode()
