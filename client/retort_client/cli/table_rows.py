"""Rows of CSV, TSV and JSON lines as they stand in the file: what had to be guessed is said, what is odd has its line.

Training and the client hold this file, `table_lines.py` and `decoding.py` alike (a test compares them, byte for byte),
so that a table is read by the same rules whether a model learns from it or answers it. Python's own `csv` and `json` do
the reading: they stream, a row that they can't read costs no other, and they know the line they are on; faster readers
of whole tables do not.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from itertools import chain, islice
from typing import Any, BinaryIO, Literal, NamedTuple

from .decoding import BROKEN_GZIP, head, known_encoding, told_encoding, unpacked
from .table_lines import BadTable, Joins, Lines, refuse_other_kinds

# One cell may be as long as it likes.
csv.field_size_limit(2**31 - 1)

SAMPLE_ROWS = 200
SAID_DELIMITER = re.compile(r'\ufeff?"?sep=(.)"?[\r\n]')
"""A first line for Excel, which is no header."""
TAB = ("tab", "\\t")
MEANT_AS_TEXT = "are quotation marks text here?"
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
TEXT_COLUMNS = (
    *("text", "post", "question", "sentence", "utterance", "message", "body", "content"),
    *("review", "comment", "tweet", "document", "description", "query", "title"),
)
"""Names that a column of texts usually has, the first ones first."""


class Format(StrEnum):
    """How a table is written."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"


class Quotes(StrEnum):
    """Whether a quotation mark at the start of a cell encloses it (`csv`) or is a letter like any other (`text`)."""

    CSV = "csv"
    TEXT = "text"


class Row(NamedTuple):
    """A row and the number of the line that it ends on, counted from 1."""

    line: int
    cells: Mapping[str, Any]


class OddRow(NamedTuple):
    """A row that can't be read, the line that it begins on, and why."""

    line: int
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read; what is None is told from the file."""

    delimiter: str | None = None
    encoding: str | None = None
    quotes: Quotes = Quotes.CSV
    odd_rows: int = 0
    """Rows that may be left out because they can't be read."""

    def __post_init__(self) -> None:
        """A tab may be spelt out, as on a command line. Raises ValueError for what can't be meant."""
        if self.delimiter in TAB:
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '\r\n"'):
            raise ValueError(f"the delimiter {self.delimiter!r} is not one character")
        if self.encoding is not None:
            object.__setattr__(self, "encoding", known_encoding(self.encoding))


class OddRows:
    """Rows that are left out, up to a number of them."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self.found: list[OddRow] = []

    def add(self, line: int, problem: str) -> None:
        """Leave out the row on this line. Raises BadTable when it is one too many."""
        self.found.append(OddRow(line, problem))
        if len(self.found) > self._allowed:
            raise BadTable(f"{self}" if self._allowed == 0 else f"more than {self._allowed} odd rows: {self}")

    def check(self, good: int) -> None:
        """Raises BadTable when more rows were left out than were read: then it is the reading that is odd."""
        if len(self.found) > good:
            raise BadTable(f"{len(self.found)} odd rows beside {good} good ones: {self}")

    def __str__(self) -> str:
        return "; ".join(map(str, self.found[:3]))


class TableRows:
    """The rows of a stream of bytes, read once. `odd` and `notes` fill while they are read.

    Raises BadTable, when it is made or while it is read.
    """

    columns: Sequence[str]
    """Of the header in CSV and TSV, of the first row in JSON lines."""

    def __init__(self, source: BinaryIO, written: Format, reading: Reading) -> None:
        self.notes: list[str] = []
        """What was told from the file, and what may have been meant otherwise."""
        self.odd = OddRows(reading.odd_rows)
        self._reading = reading
        try:
            source = unpacked(source, self.notes)
            refuse_other_kinds(head(source))
            encoding = reading.encoding or told_encoding(source, self.notes)
            sample = head(source).decode(encoding, errors="ignore")
        except BROKEN_GZIP as error:
            raise BadTable(f"broken gzip: {error}") from error
        self._lines = Lines(io.TextIOWrapper(source, encoding=encoding, newline=""))
        if written is Format.JSONL:
            rows = self._objects()
            first = next(rows, None)
            self.columns = list(first.cells) if first else []
            self._rows = chain([first], rows) if first else rows
        else:
            delimiter = self._delimiter(sample, written)
            cells = _cells(self._lines, delimiter, reading.quotes, strict=True)
            self.columns = self._header(cells)
            self._rows = self._delimited(cells, delimiter)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)

    def _delimiter(self, sample: str, written: Format) -> str:
        usual = "\t" if written is Format.TSV else ","
        said = SAID_DELIMITER.match(sample)
        found = self._reading.delimiter or (said[1] if said else _likely_delimiter(sample, usual, self._reading.quotes))
        if found != usual:
            self.notes.append(f"cells are divided by {DELIMITERS.get(found, repr(found))}")
        return found

    def _header(self, cells: Iterator[list[str]]) -> list[str]:
        try:
            header = next(filter(None, cells), [])
            if SAID_DELIMITER.match("".join(self._lines.of_row)):
                header = next(filter(None, cells), [])
        except csv.Error as error:
            raise BadTable(f"line {self._lines.first}: {error}") from error
        while header and not header[-1].strip():
            header.pop()
        if not header:
            raise BadTable("no header line")
        header[0] = header[0].removeprefix("\ufeff")
        if len(set(header)) < len(header):
            raise BadTable("two columns have the same name")
        self._lines.row_ends()
        return header

    def _delimited(self, cells: Iterator[list[str]], delimiter: str) -> Iterator[Row]:
        lines, width, good, joins = self._lines, len(self.columns), 0, Joins(delimiter, len(self.columns))
        for row in self._readable(cells):
            if any(row[width:]) or 0 < len(row) < width:
                self.odd.add(lines.first, f"{len(row)} cells, the header has {width}")
            elif row:
                good += 1
                joins.look(lines, row[width - 1])
                yield Row(lines.number, dict(zip(self.columns, row, strict=False)))
            lines.row_ends()
        self.odd.check(good)
        if found := joins.found():
            where = ", ".join(map(str, found[:3])) + (f" and {len(found) - 3} more" if found[3:] else "")
            self.notes.append(f"quotation marks join what looks like rows of their own: line {where}; {MEANT_AS_TEXT}")

    def _readable(self, cells: Iterator[list[str]]) -> Iterator[list[str]]:
        """The rows that csv can read; it goes on behind one that it can't."""
        while True:
            try:
                row = next(cells, None)
            except csv.Error as error:
                if self._lines.ended:
                    raise BadTable(
                        f"line {self._lines.first}: a quotation mark is never closed; {MEANT_AS_TEXT}"
                    ) from error
                self.odd.add(self._lines.first, str(error))
                self._lines.row_ends()
                continue
            if row is None:
                return
            yield row

    def _objects(self) -> Iterator[Row]:
        good = 0
        for written in self._lines:
            self._lines.row_ends()
            if not written.strip("\ufeff \t\r\n"):
                continue
            try:
                cells = _json_object(written.removeprefix("\ufeff"))
            except ValueError as error:
                self.odd.add(self._lines.number, str(error))
                continue
            good += 1
            yield Row(self._lines.number, cells)
        self.odd.check(good)


def column_named(columns: Sequence[str], names: Sequence[str]) -> str | None:
    """The column that has the first of these names that any has, but for case and space around it."""
    plain = {column.strip().casefold(): column for column in reversed(columns)}
    exact = [name for name in names if name in columns]
    return next(iter(exact), next((plain[name.casefold()] for name in names if name.casefold() in plain), None))


def no_column(columns: Sequence[str], name: str) -> str:
    """Say that there is no such column, and which one may have been meant."""
    by_plain = {column.strip().casefold(): column for column in columns}
    near = get_close_matches(name.strip().casefold(), by_plain, n=1)
    return f"no column {name!r}" + (f": did you mean {by_plain[near[0]]!r}?" if near else ".")


def _cells(lines: Any, delimiter: str, quotes: Quotes, strict: bool) -> Iterator[list[str]]:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes is Quotes.CSV else csv.QUOTE_NONE
    return csv.reader(iter(lines), delimiter=delimiter, quoting=quoting, strict=strict)


def _likely_delimiter(sample: str, usual: str, quotes: Quotes) -> str:
    """The one that divides the header and most rows into as many cells; the usual one among equals, or without any."""
    best, most = usual, 0.0
    for delimiter in (usual, *DELIMITERS):
        rows = [row for row in islice(_cells(io.StringIO(sample, ""), delimiter, quotes, False), SAMPLE_ROWS) if row]
        width = len(rows[0]) if rows else 0
        share = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        if share > most:
            best, most = delimiter, share
    return best


def _json_object(written: str) -> dict[str, Any]:
    try:
        found = json.loads(written)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} (character {error.pos + 1})") from error
    except RecursionError as error:
        raise ValueError("JSON is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
