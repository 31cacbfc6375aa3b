"""Who calls: checks the API key of every request that needs one, and its rate."""

from __future__ import annotations

from flask import Flask, Request, g, request

from api.http.problems import Problem
from contract.api_keys import Key, Keys
from contract.rate_limit import RequestCounter

OPEN = frozenset({"health", "inference_health", "metrics", "docs", "swagger_ui", "page", "report_links"})
"""Blueprints that need no key: what probes, scrapers, browsers and readers of the documentation ask for; the page asks
for a key itself, and a link to a report is one."""


def install(app: Flask, keys: Keys | None, requests: RequestCounter) -> None:
    """Put into `g` whose jobs the request is about (`caller`), its key (`api_key`), that key's name (`key`) and its
    limit on texts (`max_texts`). Without a key file all may call."""

    @app.before_request
    def identify() -> None:
        g.caller, g.key, g.max_texts, g.api_key = "", "", None, None
        if keys is None or request.blueprint is None or request.blueprint in OPEN:
            return
        key = keys.find(_given(request))
        if key is None:
            raise Problem(
                "unauthorized",
                "send your key as Authorization: Bearer KEY, or as X-API-Key: KEY",
                headers={"WWW-Authenticate": 'Bearer realm="retort"'},
            )
        g.caller, g.key, g.max_texts, g.api_key = key.owner or key.name, key.name, key.max_texts, key
        _keep_rate(requests, key)


def _given(asked: Request) -> str:
    scheme, _, key = asked.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else asked.headers.get("X-API-Key", "")


def _keep_rate(requests: RequestCounter, key: Key) -> None:
    if key.rate_per_s is not None and requests.count(key.name) > key.rate_per_s:
        raise Problem(
            "rate-limited",
            f"key {key.name!r} may make {key.rate_per_s} requests a second",
            headers={"Retry-After": "1"},
        )
