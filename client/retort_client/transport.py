"""What both clients share: where the service is, how a `Send` becomes a call of httpx, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TypedDict

import httpx

from retort_client.retry import Patience, Send
from retort_client.wire import Reply, TransportFailure

CONNECT_S = 10.0


class Arguments(TypedDict):
    """Of `httpx.Client.request`."""

    method: str
    url: str
    params: dict[str, int]
    headers: dict[str, str]
    content: bytes | None
    timeout: httpx.Timeout


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service and how patiently it is asked."""

    url: str
    api_key: str | None = field(repr=False)
    timeout_s: float
    retries: int

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{self.url!r} is no address of a service; it begins with http:// or https://")

    def patience(self, timeout_s: float | None = None) -> Patience:
        """For one call that starts now."""
        return Patience(self.timeout_s if timeout_s is None else timeout_s, self.retries)

    def arguments(self, send: Send) -> Arguments:
        request = send.request
        headers = {"User-Agent": f"retort-client/{_version()}", **request.headers}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return {
            "method": request.method,
            "url": self.url.rstrip("/") + request.path,
            "params": dict(request.query),
            "headers": headers,
            "content": request.body,
            # Waiting for one's own other requests is no failure of the service.
            "timeout": httpx.Timeout(send.reply_s, connect=min(CONNECT_S, send.reply_s), pool=None),
        }

    def lost(self, error: httpx.TransportError) -> TransportFailure:
        return TransportFailure(f"{self.url}: {error or type(error).__name__}")


def reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)


def _version() -> str:
    try:
        return version("retort-client")
    except PackageNotFoundError:
        return "0"
