"""Where webhooks may go: hosts that an operator has named, and no other.

`RETORT_WEBHOOK_HOSTS` lists names, or `*.` and a name for all below it; they are called by https alone, and only at
public addresses. `RETORT_WEBHOOK_PRIVATE_HOSTS` lists names that may also have private addresses and be called by
http. Either may give a port, `HOST:PORT`; the scheme's own is meant otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARACTERS = 2000
_HOST = r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])"
_ENTRY = re.compile(rf"(?P<below>\*\.)?(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?", re.ASCII)
_ADDRESS = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_HOST})(?::(?P<port>[0-9]{{1,5}}))?(?P<path>/[!\"$-~]*)?", re.ASCII
)
"""Stricter than any URL parser: no user, no fragment, no character that two of them might read differently."""
_PORTS = {"http": 80, "https": 443}


class ForbiddenWebhook(ValueError):
    """No webhook is sent to an address: it is malformed, or its host is not allowed, or not where that host is."""


@dataclass(frozen=True, kw_only=True)
class WebhookTarget:
    """An address that webhooks may go to."""

    scheme: str
    host: str
    """Without the brackets of an IPv6 address."""
    port: int
    path: str
    may_be_private: bool

    @property
    def host_header(self) -> str:
        """What the header `Host` says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True)
class _AllowedHost:
    host: str
    below: bool
    """Whether the names below it are meant, and not itself."""
    port: int | None

    @classmethod
    def parse(cls, text: str) -> _AllowedHost:
        """Raises ValueError."""
        match = _ENTRY.fullmatch(text.lower())
        if not match or not 0 < int(match["port"] or 1) < 2**16:
            raise ValueError(f"{text!r} is no host: a name, `*.` and a name, an address; with `:PORT` or without")
        return cls(match["host"].strip("[]"), bool(match["below"]), int(match["port"]) if match["port"] else None)

    def allows(self, scheme: str, host: str, port: int) -> bool:
        is_host = host.endswith(f".{self.host}") if self.below else host == self.host
        return is_host and port == (self.port or _PORTS[scheme])


@dataclass(frozen=True)
class WebhookHosts:
    """The hosts that the settings name."""

    public: tuple[_AllowedHost, ...]
    private: tuple[_AllowedHost, ...]

    @classmethod
    def parse(cls, public: str, private: str) -> WebhookHosts:
        """Of the two settings' values. Raises ValueError for what is no list of hosts."""
        return cls(_listed(public), _listed(private))

    def __bool__(self) -> bool:
        """Whether any webhook can be sent."""
        return bool(self.public or self.private)

    def target(self, address: str) -> WebhookTarget:
        """Take the address apart. Raises ForbiddenWebhook, which says why, when webhooks may not go there."""
        match = _ADDRESS.fullmatch(address) if len(address) <= MOST_CHARACTERS else None
        if not match or match["host"].endswith("."):
            raise ForbiddenWebhook("an address is https://HOST/PATH, in small letters up to the path, without a user")
        scheme, host = match["scheme"], match["host"].strip("[]")
        port = int(match["port"] or _PORTS[scheme])
        may_be_private = any(each.allows(scheme, host, port) for each in self.private)
        if not may_be_private and not any(each.allows(scheme, host, port) for each in self.public):
            raise ForbiddenWebhook(f"no webhooks are sent to {host}, port {port}; RETORT_WEBHOOK_HOSTS lists hosts")
        if scheme == "http" and not may_be_private:
            raise ForbiddenWebhook("webhooks go by https")
        return WebhookTarget(
            scheme=scheme, host=host, port=port, path=match["path"] or "/", may_be_private=may_be_private
        )


def _listed(text: str) -> tuple[_AllowedHost, ...]:
    return tuple(_AllowedHost.parse(part.strip()) for part in text.split(",") if part.strip())
