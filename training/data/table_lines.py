"""Lines of a table's text, and what can be seen in them that no parser of rows sees."""

from __future__ import annotations

import io
from collections.abc import Iterator

from .decoding import BROKEN_GZIP

MOST_LAST_CELLS = 10_000
_WORKBOOK = "a workbook, no table of text: open it and save the sheet as CSV (Excel: Save as, CSV UTF-8)"
_OF_OTHER_KINDS = {
    b"PK\x03\x04": _WORKBOOK,
    b"\xd0\xcf\x11\xe0": _WORKBOOK,
    b"PAR1": "a Parquet file, no table of text: write it as CSV or JSON lines, or call it .parquet where that is read",
}
"""What files of other kinds begin with."""


class BadTable(ValueError):
    """The file is no table, or has more odd rows than may be left out."""


class OtherKind(BadTable):
    """The file holds something else than text."""


def refuse_other_kinds(first: bytes) -> None:
    """Raises OtherKind when these are the first bytes of a workbook or of Parquet."""
    for start, kind in _OF_OTHER_KINDS.items():
        if first.startswith(start):
            raise OtherKind(kind)


class Lines:
    """Lines of a text, and which of them the row that is being read takes up."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.number = 0
        self.of_row: list[str] = []
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        try:
            for line in self._text:
                self.number += 1
                self.of_row.append(line)
                yield line
        except UnicodeError as error:
            raise BadTable(f"after line {self.number}: {error}; is it of another encoding?") from error
        except BROKEN_GZIP as error:
            raise BadTable(f"after line {self.number}, broken gzip: {error}") from error
        self.ended = True

    @property
    def first(self) -> int:
        """The line that the row begins on."""
        return self.number - len(self.of_row) + 1

    def row_ends(self) -> None:
        self.of_row.clear()


class Joins:
    """Finds rows over several lines each of which could be a row itself, with a last cell that other rows have too."""

    def __init__(self, delimiter: str, width: int) -> None:
        self._delimiter, self._width = delimiter, width
        self._last_cells: set[str] = set()
        self._joined: dict[int, set[str]] = {}

    def look(self, lines: Lines, last_cell: str) -> None:
        """See a row that is made of these lines and ends with this cell."""
        if len(self._last_cells) < MOST_LAST_CELLS:
            self._last_cells.add(last_cell)
        *inner, end = lines.of_row
        if inner and all(line.count(self._delimiter) == self._width - 1 for line in (*inner, end)):
            self._joined[lines.first] = {line.rstrip("\r\n").rpartition(self._delimiter)[2] for line in inner}

    def found(self) -> list[int]:
        """The lines that such rows begin on."""
        return [line for line, cells in self._joined.items() if cells & self._last_cells]
