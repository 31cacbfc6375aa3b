"""Tables as a stream: rows come out of CSV, TSV and JSON lines one by one, so that a file may be larger than memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from retort_client.cli.errors import BadInput
from retort_client.cli.table_lines import BadTable
from retort_client.cli.table_rows import Format, Reading, Row, TableRows

Cells = Mapping[str, Any]

_DELIMITERS = {Format.CSV: ",", Format.TSV: "\t"}
_SUFFIXES = {".tsv": Format.TSV, ".tab": Format.TSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}


class Table(NamedTuple):
    """The columns of the first row, which in CSV and TSV are those of all, and all rows. Reading raises BadInput."""

    columns: Sequence[str]
    rows: Iterator[Row]
    notes: Sequence[str]
    """What was told from the file, complete when the rows have been read."""


def format_of(path: Path) -> Format:
    """By the file's ending, in whatever case and before `.gz`; CSV when that says nothing."""
    suffix = path.suffix.lower()
    return _SUFFIXES.get(Path(path.stem).suffix.lower() if suffix == ".gz" else suffix, Format.CSV)


def read(source: BinaryIO, name: str, written: Format, reading: Reading = Reading()) -> Table:  # noqa: B008 (frozen)
    """The table in a stream of bytes. Raises BadInput, which begins with `name`."""

    def rows(found: TableRows) -> Iterator[Row]:
        try:
            yield from found
        except BadTable as error:
            raise _refused(name, error) from error

    try:
        found = TableRows(source, written, reading)
    except BadTable as error:
        raise _refused(name, error) from error
    return Table(found.columns, rows(found), found.notes)


def _refused(name: str, error: BadTable) -> BadInput:
    return BadInput(f"{name}, {error}" if str(error).startswith(("line", "after")) else f"{name}: {error}")


class Writer:
    """Rows as bytes of UTF-8. Columns that a row lacks are empty in CSV and TSV, and left out in JSON lines."""

    def __init__(self, columns: Sequence[str], written: Format) -> None:
        self._columns = columns
        self._delimiter = _DELIMITERS.get(written)

    def header(self) -> bytes:
        return self._delimited([self._columns]) if self._delimiter else b""

    def rows(self, rows: Sequence[Cells]) -> bytes:
        """Raises BadInput for a column that CSV and TSV have no place for."""
        if self._delimiter:
            return self._delimited([self._line(row) for row in rows])
        return _encoded("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def _line(self, row: Cells) -> list[str]:
        if unknown := row.keys() - self._columns:
            names = ", ".join(sorted(unknown))
            raise BadInput(f"a row has members that the first has not ({names}): write JSON lines, -o answers.jsonl")
        return [_cell(row.get(name)) for name in self._columns]

    def _delimited(self, rows: Sequence[Sequence[str]]) -> bytes:
        buffer = io.StringIO()
        csv.writer(buffer, delimiter=self._delimiter or ",").writerows(rows)
        return _encoded(buffer.getvalue())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _encoded(text: str) -> bytes:
    """A lone surrogate, which JSON can smuggle in and UTF-8 can't hold, becomes its escape."""
    return text.encode(errors="backslashreplace")
