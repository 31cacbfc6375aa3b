"""When to send a request again, and after how long. Nothing here sends or sleeps: a client carries out each `Send`."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from retort_client import problem
from retort_client.errors import RetortError, Unreachable, of_problem
from retort_client.wire import Reply, Request, TransportFailure

log = logging.getLogger("retort_client")

TRY_AGAIN = frozenset({429, 502, 503, 504})
REPLY_S = 30.0
"""How long a reply may take beyond what the service was asked to wait."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
SPREAD = 0.25
"""Clients that were told the same Retry-After come back within this fraction of it, not all at once."""


@dataclass(frozen=True)
class Send:
    """What a client is to do next: pause, send the request, and hand back what came of it."""

    request: Request
    pause_s: float
    reply_s: float
    """Silence after which the reply counts as lost."""


T = TypeVar("T")
Call = Generator[Send, Reply | TransportFailure, T]
"""A conversation with the service that ends with a T."""


class Patience:
    """How long one call goes on trying: `timeout_s` seconds from now, for ever when that is `math.inf`."""

    def __init__(self, timeout_s: float, retries: int, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self.retries = retries
        """Failures in a row, without a Retry-After, that are tried again."""
        self._end = now() + timeout_s

    @property
    def left_s(self) -> float:
        return max(self._end - self.now(), 0.0)


def replied(request: Request, patience: Patience, pause_s: float = 0.0) -> Call[Reply]:
    """The reply, once it is a good one. Raises ProblemError, or Unreachable when there is none."""
    failures = 0
    while True:
        outcome = yield Send(request, pause_s, min(request.wait_s + REPLY_S, max(patience.left_s, 1.0)))
        if isinstance(outcome, Reply) and outcome.status < 300:
            return outcome
        error = _error(outcome)
        if isinstance(outcome, Reply) and outcome.status not in TRY_AGAIN:
            raise error
        retry_after = retry_after_s(outcome.headers) if isinstance(outcome, Reply) else None
        failures = 0 if retry_after is not None else failures + 1
        pause_s = next_pause_s(failures, retry_after)
        if failures > patience.retries or pause_s > patience.left_s:
            raise error
        log.warning("%s; trying again in %.1f s", error, pause_s)


def next_pause_s(failures: int, retry_after: float | None) -> float:
    """A little more than the service told, else twice as long after each failure, from half of that on."""
    if retry_after is not None:
        return retry_after * (1 + SPREAD * random.random())
    longest = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30), LONGEST_PAUSE_S)
    return longest * random.uniform(0.5, 1.0)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: a number, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _error(outcome: Reply | TransportFailure) -> RetortError:
    if isinstance(outcome, TransportFailure):
        return Unreachable(outcome.why)
    found = problem.parse(outcome.status, outcome.headers, outcome.body)
    return of_problem(found, outcome.status, retry_after_s(outcome.headers))
