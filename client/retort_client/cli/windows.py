"""Cutting a table into windows, each of which becomes a job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from retort_client.cli.errors import BadInput
from retort_client.cli.table_rows import Row

MOST_BYTES = 2 * 2**20
"""Of a window's texts. JSON makes at most six times as much of them, and a service takes 16 MiB by default."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Rows that are asked about together."""

    number: int
    first: int
    """The number of its first row, counted from 0."""
    rows: Sequence[Row]
    texts: Sequence[str]
    digest: str
    """SHA-256 of all rows from the table's first to this window's last: two tables that share it share those rows."""

    @property
    def end(self) -> int:
        """The number of the row after its last."""
        return self.first + len(self.rows)


def windows(rows: Iterable[Row], column: str, most_rows: int, name: str) -> Iterator[Window]:
    """Always cut alike: the same rows give the same windows. Raises BadInput for a row without a text."""
    hashed = hashlib.sha256()
    number = first = size = 0
    kept: list[Row] = []

    def window() -> Window:
        hashed.update(json.dumps([row.cells for row in kept]).encode())
        return Window(
            number=number, first=first, rows=kept, texts=[row.cells[column] for row in kept], digest=hashed.hexdigest()
        )

    for row in rows:
        more = len(text_of(row, column, name).encode(errors="replace"))
        if kept and (len(kept) == most_rows or size + more > MOST_BYTES):
            yield window()
            number, first, size, kept = number + 1, first + len(kept), 0, []
        kept.append(row)
        size += more
    if kept:
        yield window()


def text_of(row: Row, column: str, name: str) -> str:
    """Raises BadInput when it is no text."""
    found = row.cells.get(column)
    if not isinstance(found, str):
        raise BadInput(f"{name}, line {row.line}: no text in {column!r}")
    return found
