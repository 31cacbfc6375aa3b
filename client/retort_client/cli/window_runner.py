"""Sending windows to the service and bringing their answers back."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from retort_client.cli.errors import CommandError
from retort_client.cli.windows import Window
from retort_client.client import Client, Job
from retort_client.documents import Answer, TextError
from retort_client.errors import BadRequest, Gone, RetortError, UnexpectedReply
from retort_client.wire import Options

PREFETCH = 3
"""Windows that wait at the service behind the one that is read, so that it never runs dry."""
MOST_SENDINGS = 10
Seen = Callable[[int], object]
_POINTER = re.compile(r"/texts/(\d+)")


class GaveUp(CommandError):
    """The service can't answer a window."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A window on its way: the job that has its texts, but for those that the service refused."""

    window: Window
    sending: int
    refused: Mapping[int, TextError]
    job: Job | None
    """None when all were refused."""


class WindowRunner:
    """Windows out, answers back, in order.

    A key decides which job a window gets, so that a run that goes on after an interruption finds the jobs it left.
    """

    def __init__(
        self, client: Client, *, options: Options, run: str, check: Callable[[], object] = lambda: None
    ) -> None:
        """`check` is called between requests, and may raise what is to end the run."""
        self._check = check
        self._client = client
        self._options = options
        self._run = run

    def answered(self, windows: Iterable[Window], seen: Seen) -> Iterator[tuple[Sent, list[Answer]]]:
        """Each window with its answers. `seen` hears how many rows of the table have one, as they come."""
        for sent in ahead(map(self._send, windows)):
            yield self._read(sent, seen)

    def forget(self, sent: Sent) -> None:
        """Delete the texts and results that the service still holds; it does so by itself in time."""
        with suppress(RetortError):
            if sent.job:
                sent.job.cancel()

    def _send(self, window: Window, sending: int = 0) -> Sent:
        """Submit what the service takes of the window, under the first key whose job can still be read."""
        refused: dict[int, TextError] = {}
        while sending < MOST_SENDINGS:
            self._check()
            kept = [number for number in range(len(window.texts)) if number not in refused]
            if not kept:
                return Sent(window=window, sending=sending, refused=refused, job=None)
            try:
                job = self._submit(window, kept, sending)
            except BadRequest as error:
                found = _refused_texts(error)
                if not found:
                    raise GaveUp(f"{_lines(window)}: {error}") from error
                refused |= {kept[number]: told for number, told in found.items()}
            except Gone:
                sending += 1
            else:
                if job.status.state not in ("cancelled", "expired"):
                    return Sent(window=window, sending=sending, refused=refused, job=job)
                sending += 1
        raise GaveUp(f"{_lines(window)}: {MOST_SENDINGS} jobs were given up before they ran; do workers run?")

    def _submit(self, window: Window, kept: list[int], sending: int) -> Job:
        key = f"{self._run}-{window.number}-{window.digest[:16]}-{sending}"
        return self._client.submit([window.texts[number] for number in kept], idempotency_key=key, **self._options)

    def _read(self, sent: Sent, seen: Seen) -> tuple[Sent, list[Answer]]:
        """The window's answers; sent again when its job expires or is deleted before they are all read."""
        while True:
            self._check()
            with suppress(Gone):
                answers = _answers(sent, seen)
                if not any(isinstance(one, TextError) and one.code == "not-predicted" for one in answers):
                    return sent, answers
            sent = self._send(sent.window, sent.sending + 1)


def ahead(sent: Iterable[Sent]) -> Iterator[Sent]:
    """The same, each only once the next AHEAD are on their way too."""
    waiting: deque[Sent] = deque()
    for one in sent:
        waiting.append(one)
        if len(waiting) > PREFETCH:
            yield waiting.popleft()
    yield from waiting


def _answers(sent: Sent, seen: Seen) -> list[Answer]:
    """One per row, refused ones in their places. Raises Gone."""
    found: list[Answer] = []
    for one in sent.job.results() if sent.job else ():
        found.append(one)
        seen(sent.window.first + len(found))
    if len(found) + len(sent.refused) != len(sent.window.texts):
        raise UnexpectedReply(f"{_lines(sent.window)}: {len(found)} answers to {len(sent.window.texts)} texts")
    predicted = iter(found)
    return [sent.refused.get(number) or next(predicted) for number in range(len(sent.window.texts))]


def _refused_texts(error: BadRequest) -> dict[int, TextError]:
    """What the service has against single texts, by their places in the request."""
    places = [(_POINTER.fullmatch(fault.where), fault.detail) for fault in error.problem.faults]
    return {int(place[1]): TextError("refused", detail) for place, detail in places if place}


def _lines(window: Window) -> str:
    return f"lines {window.rows[0].line} to {window.rows[-1].line}"
