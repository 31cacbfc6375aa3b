"""Tables as a stream: rows come out of CSV, TSV and JSON lines one by one, so that a file may be larger than memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

from retort_client.cli.errors import BadInput

# One cell may be as long as it likes; the service says what it takes.
csv.field_size_limit(2**31 - 1)
Cells = Mapping[str, Any]


class Format(StrEnum):
    """How a table is written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"


_DELIMITERS = {Format.CSV: ",", Format.TSV: "\t"}
_SUFFIXES = {".tsv": Format.TSV, ".tab": Format.TSV, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}


class Row(NamedTuple):
    """A row and the number of the line that it ends on, counted from 1."""

    line: int
    cells: Cells


class Table(NamedTuple):
    """The columns of the first row, which in CSV and TSV are those of all, and all rows. Reading raises BadInput."""

    columns: Sequence[str]
    rows: Iterator[Row]


def format_of(path: Path) -> Format:
    """By the file's ending; CSV when that says nothing."""
    return _SUFFIXES.get(path.suffix.lower(), Format.CSV)


def read(source: BinaryIO, name: str, written: Format) -> Table:
    """The table in a stream of UTF-8, with or without a byte order mark. Raises BadInput, which begins with `name`."""
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    if written is Format.JSONL:
        return _read_json_lines(text, name)
    return _read_delimited(text, name, _DELIMITERS[written])


def _read_delimited(text: TextIO, name: str, delimiter: str) -> Table:
    reader = csv.reader(text, delimiter=delimiter, strict=True)

    def lines() -> Iterator[list[str]]:
        try:
            yield from reader
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{name}, after line {reader.line_num}: {error}") from error

    def rows() -> Iterator[Row]:
        for cells in found:
            if cells and len(cells) != len(columns):
                raise BadInput(f"{name}, line {reader.line_num}: {len(cells)} columns, the header has {len(columns)}")
            if cells:
                yield Row(reader.line_num, dict(zip(columns, cells, strict=True)))

    found = lines()
    columns = next(found, [])
    if not columns:
        raise BadInput(f"{name}: no header line")
    if len(set(columns)) < len(columns):
        raise BadInput(f"{name}: two columns have the same name")
    return Table(columns, rows())


def _read_json_lines(text: TextIO, name: str) -> Table:
    def rows() -> Iterator[Row]:
        line = 0
        try:
            for line, written in enumerate(text, 1):
                if written.strip():
                    yield Row(line, _json_object(written))
        except ValueError as error:
            raise BadInput(f"{name}, {f'line {line}' if line else 'at its start'}: {error}") from error

    found = rows()
    first = next(found, None)
    if first is None:
        return Table([], found)
    return Table(list(first.cells), chain([first], found))


def _json_object(written: str) -> dict[str, Any]:
    found = json.loads(written)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found


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
