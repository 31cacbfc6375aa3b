"""Which names the service goes by, so that no page can reach it by a name of its own (DNS rebinding)."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

from flask import Flask, request

from api.http.probes import PROBES
from api.http.problems import Problem

ANY = "*"
KINDS_OF_HOSTS = 256
"""Host headers whose answer is remembered: nearly all requests come by the same one."""


class Hosts:
    """The names that a request's Host may have: IP addresses, localhost, this machine's name, and those of `allowed`.

    allowed: names with commas between them; `.example.com` stands for all names below it, `*` for every name.
    """

    def __init__(self, allowed: str) -> None:
        listed = [name.strip().lower() for name in allowed.split(",") if name.strip()]
        self._names = {"localhost", socket.gethostname().lower(), *listed}
        self._suffixes = (".localhost", *(name for name in listed if name.startswith(".")))

    def allow(self, host: str) -> bool:
        """True when a Host header names this service; its port does not matter."""
        name = _without_port(host).lower().rstrip(".")
        # A page is never loaded by another's address, so that no address can be made to mean this service.
        return ANY in self._names or name in self._names or name.endswith(self._suffixes) or _is_address(name)


def install(app: Flask, allowed: str) -> None:
    """Refuse requests to other names. Probes and scrapers may use any; HTTP/1.0 needs none."""
    allow = lru_cache(KINDS_OF_HOSTS)(Hosts(allowed).allow)

    @app.before_request
    def check() -> None:
        host = request.environ.get("HTTP_HOST")
        if host is not None and request.blueprint not in PROBES and not allow(host):
            raise Problem(
                "misdirected", f"the service does not go by the name {host[:100]!r}; see RETORT_ALLOWED_HOSTS"
            )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
