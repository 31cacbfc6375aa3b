"""How long a client is willing to wait: `Prefer` (RFC 7240) and its short form for curl, `?wait=`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Request
from werkzeug.http import parse_list_header

from api.http.problems import FieldError, invalid
from api.settings import ApiSettings

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?", re.IGNORECASE | re.ASCII)
"""As JSON and people write them; Python also reads 1_0 and digits of other scripts."""


@dataclass(frozen=True)
class WaitPreference:
    """Seconds to wait for a job's end, and the preferences that it came from."""

    wait_s: float
    applied: tuple[str, ...] = ()
    at_once: bool = False
    """The client wants its job's address and no answer yet (respond-async, and no wait)."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Preference-Applied": ", ".join(self.applied)} if self.applied else {}


def patience(request: Request, settings: ApiSettings, otherwise_s: float) -> WaitPreference:
    """Read how long the request would wait: at most the setting's maximum, `otherwise_s` if it does not say.

    Raises Problem for a bad `?wait=`.
    """
    preferences = _preferences(request)
    asynchronous = "respond-async" in preferences
    applied = ("respond-async",) if asynchronous else ()
    if (text := request.args.get("wait")) is not None:
        return WaitPreference(min(_seconds(text), settings.max_wait_s), applied)
    if (text := preferences.get("wait", "")).isascii() and text.isdigit():
        wait_s = min(int(text[:9]), int(settings.max_wait_s))
        return WaitPreference(wait_s, (*applied, f"wait={wait_s}"))
    if asynchronous:
        return WaitPreference(0, applied, at_once=True)
    return WaitPreference(min(otherwise_s, settings.max_wait_s))


def _preferences(request: Request) -> Mapping[str, str]:
    """Names and values; the first of a name counts, and what is unknown or malformed is ignored, says the RFC."""

    def pairs() -> Iterator[tuple[str, str]]:
        for item in parse_list_header(", ".join(request.headers.getlist("Prefer"))):
            name, _, value = item.partition(";")[0].partition("=")
            yield name.strip().lower(), value.strip().strip('"')

    return dict(reversed(list(pairs())))


def _seconds(text: str) -> float:
    seconds = float(text) if _NUMBER.fullmatch(text) else math.inf
    if seconds == math.inf:
        raise invalid(FieldError("parameter", "wait", "a number of seconds, 0 or more"))
    return seconds
