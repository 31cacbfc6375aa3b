"""A job's results in the order of its texts, chunk by chunk, while it runs."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain

from api.http.presence import ClientGone, Presence
from api.jobs.events import JobEvents
from api.jobs.reader import LOOK_EVERY_S, JobReader
from api.jobs.results import Row, available, chunk_size, refuse_cancelled, rows, span
from contract.errors import StoreUnavailable
from contract.job_record import Snapshot
from contract.prediction import Options

OCCASIONAL = ("review", "unfamiliar", "unknown", "windows", "span")
Page = tuple[int, list[Row]]
"""The number of the first text, and the answers from it on."""


@dataclass(frozen=True, kw_only=True)
class StreamSpan:
    """Which answers of a job are asked for, and until when somebody waits for them."""

    start: int
    """Number of the first text."""
    stop: int
    """Number of the text after the last; beyond the job's last text it means that one."""
    page_texts: int
    """Answers that are held at once, at most."""
    end_s: float | None
    """On time.monotonic; None for as long as the job runs."""


def page(reader: JobReader, job: Snapshot, start: int, limit: int) -> list[Row]:
    """The answers from text `start` on that are there, without a gap, at most `limit`."""
    size = chunk_size(job)
    numbers = span(start, start + limit, size, job.status.chunks)
    snapshot = reader.read(job.status.ref, numbers)
    refuse_cancelled(snapshot.status)
    found: list[Row] = []
    for chunk in available(snapshot):
        first = chunk.number * size
        found += rows(chunk, snapshot.status, max(start - first, 0), start + limit - first)
    return found


def pages(reader: JobReader, events: JobEvents, job: Snapshot, presence: Presence, asked: StreamSpan) -> Iterator[Page]:
    """Pages from text `asked.start` to the last that is asked for, each as soon as it is there.

    Goes on over a restart of Redis. Holds one page at a time. Raises GoneJob when the job is cancelled or deleted
    meanwhile, and ClientGone once nobody is there to read on.
    """
    start, stop = asked.start, min(asked.stop, job.status.texts)
    with events.subscribe(job.status.id, presence) as waiter:
        while start < stop:
            if waiter.is_gone:
                raise ClientGone
            found: list[Row] = []
            with suppress(StoreUnavailable):
                found = page(reader, job, start, min(asked.page_texts, stop - start))
            if found:
                yield start, found
                start += len(found)
                continue
            left = LOOK_EVERY_S if asked.end_s is None else min(asked.end_s - time.monotonic(), LOOK_EVERY_S)
            if left <= 0:
                return
            waiter.wait(left)


def first_page(reader: JobReader, events: JobEvents, job: Snapshot, presence: Presence, asked: StreamSpan) -> list[Row]:
    """The first page that `pages` yields; empty when there is none in time, or nobody is there to wait for it."""
    with suppress(ClientGone):
        for _, found in pages(reader, events, job, presence, asked):
            return found
    return []


def ndjson(found: Iterator[Page]) -> Iterator[str]:
    """A line per text: its number as `index`, then the members of its answer."""
    for start, answers in found:
        yield "".join(
            f"{json.dumps({'index': start + n} | row, ensure_ascii=False)}\n" for n, row in enumerate(answers)
        )


def columns(options: Options, *, multi_label: bool) -> list[str]:
    """The columns of a job's CSV; `multi_label`: its model gives a text any number of labels."""
    chosen = ["labels"] if multi_label else ["label", "score"]
    asked = ["top"] * (options.top_k > 1) + ["scores"] * options.scores
    return ["index", *chosen, "tokens", "truncated", "error", "detail", *asked]


def as_csv(found: Iterator[Page], names: Sequence[str]) -> Iterator[str]:
    """Write CSV (RFC 4180) with a header line; lists and objects (`labels`, `top`, `scores`) are JSON.

    A member that few answers have gets a column behind the others when one of the first page has it.
    """
    first = next(found, (0, []))
    seen = {name for row in first[1] for name in row}
    names = [*names, *(name for name in OCCASIONAL if name in seen and name not in names)]
    yield _line(names)
    for start, answers in chain([first], found):
        yield "".join(_line(_cells(start + n, row, names)) for n, row in enumerate(answers))


def _cells(index: int, row: Row, names: Sequence[str]) -> list[object]:
    error = row.get("error", {})
    members = row | {"index": index, "error": error.get("code"), "detail": error.get("detail")}
    return [_cell(members.get(name)) for name in names]


def _cell(value: object) -> object:
    """Write one cell: None is an empty one. Booleans, lists and objects are JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list | dict) else value


def _line(cells: Sequence[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()
