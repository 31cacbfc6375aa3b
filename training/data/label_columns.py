"""Where the labels of a row stand: in one column, or in a column of 0 and 1 for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from training.data.cells import cell_text
from training.data.label_form import Cell
from training.data.table_lines import BadTable
from training.data.table_options import TableOptions
from training.data.table_rows import column_named, no_column

LABEL_COLUMNS = ("label", "labels", "tags", "tag", "category", "class", "intent", "target", "topic", "sentiment")
"""Names that a column of labels usually has, the first ones first."""
MARKS = {"0": False, "0.0": False, "false": False, "": False, "1": True, "1.0": True, "true": True}


class LabelColumns(Protocol):
    """Reads the labels of one row after the other."""

    names: Sequence[str]
    """The columns that are read."""
    otherwise: str
    """The option that reads other columns, where these were found by what they hold."""

    @property
    def options(self) -> dict[str, str]:
        """Of `TableOptions`: what says that the labels of another file are there."""

    def cell(self, cells: Mapping[str, Any]) -> Cell:
        """What a row says of its labels. Raises ValueError for what can't be a label."""

    def ended(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        """What all rows say of their labels, now that every row was seen. Raises BadTable when that is nothing."""


def label_columns(there: Sequence[str], options: TableOptions, text_column: str) -> LabelColumns:
    """Those that are said, else the one with a usual name, else the only one, else all that hold nothing but 0 and 1.

    Raises BadTable for one that is not there.
    """
    if options.label_columns:
        names = [name.strip() for name in options.label_columns.split(",")]
        return _MarkedColumns([required_column(there, name, (), "label") for name in names])
    if options.label_column or column_named(there, LABEL_COLUMNS):
        return _OneColumn(required_column(there, options.label_column, LABEL_COLUMNS, "label"))
    others = [name for name in there if name != text_column]
    return _OneColumn(others[0]) if len(others) == 1 else _FoundColumns(there, text_column)


def required_column(there: Sequence[str], wanted: str | None, usual: Sequence[str], kind: str) -> str:
    """The column that is wanted, or has a usual name. Raises BadTable, with the columns that are there."""
    column = column_named(there, [wanted] if wanted else usual)
    if column is None:
        missing = no_column(there, wanted) if wanted else f"which column has the {kind}s?"
        raise BadTable(f"{missing} It has {', '.join(there)}: say --{kind}-column NAME")
    return column


class _OneColumn:
    """A column whose cells hold a text or a list of texts."""

    otherwise = ""

    def __init__(self, name: str) -> None:
        self.names: Sequence[str] = [name]

    @property
    def options(self) -> dict[str, str]:
        return {}  # another file may call its one column by another of the usual names

    def cell(self, cells: Mapping[str, Any]) -> Cell:
        found = cells.get(self.names[0])
        return [cell_text(each) for each in found] if isinstance(found, list) else cell_text(found)

    def ended(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        return cells


class _MarkedColumns:
    """Columns of 0 and 1 that are labels by their names."""

    otherwise = ""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    @property
    def options(self) -> dict[str, str]:
        return {"label_columns": ",".join(self.names)}

    def cell(self, cells: Mapping[str, Any]) -> Cell:
        return [name for name in self.names if self._is_marked(name, cell_text(cells.get(name)))]

    def ended(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        return cells

    @staticmethod
    def _is_marked(name: str, value: str) -> bool:
        if value.casefold() not in MARKS:
            raise ValueError(f"{value!r} in column {name!r}, which is to hold 0 or 1")
        return MARKS[value.casefold()]


class _FoundColumns:
    """The columns that hold nothing but 0 and 1, and both of them; `names` get fewer while rows are read."""

    otherwise = "; --label-column NAME takes one column, --label-columns A,B,… those alone"

    def __init__(self, there: Sequence[str], text_column: str) -> None:
        self._there = there
        self.names: Sequence[str] = [name for name in there if name != text_column]
        self._seen: dict[str, set[bool]] = {name: set() for name in self.names}

    @property
    def options(self) -> dict[str, str]:
        return {"label_columns": ",".join(self.names)}

    def cell(self, cells: Mapping[str, Any]) -> Cell:
        marks = {name: mark for name in self.names if (mark := self._mark(cells.get(name))) is not None}
        self.names = list(marks)
        for name, mark in marks.items():
            self._seen[name].add(mark)
        return [name for name, mark in marks.items() if mark]

    def ended(self, cells: Sequence[Cell]) -> Sequence[Cell]:
        self.names = [name for name in self.names if len(self._seen[name]) == 2]
        if len(self.names) < 2:
            required_column(self._there, None, LABEL_COLUMNS, "label")
        kept = set(self.names)
        return [[name for name in cell if name in kept] for cell in cells]

    @staticmethod
    def _mark(value: Any) -> bool | None:
        try:
            return MARKS.get(cell_text(value).casefold())
        except ValueError:
            return None
