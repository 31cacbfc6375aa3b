"""A column of texts of a pandas DataFrame, and the frame with its answers. Nothing here imports pandas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol, Self, TypeVar

from retort_client.documents import Answer, Prediction, TextError

WINDOW = 5000
"""Rows that are asked about at once."""
USUAL: Mapping[str, object] = {"review": False, "unfamiliar": False, "unknown": None, "windows": 1}
"""What few answers have otherwise: a column each, where any has."""
NO_TEXT = TextError("no-text", "there is no text in this row")


class Frame(Protocol):
    """What is needed of a DataFrame."""

    @property
    def columns(self) -> Any: ...

    def __getitem__(self, name: str, /) -> Any: ...

    def assign(self, **columns: Any) -> Self: ...


F = TypeVar("F", bound=Frame)


def windows(frame: Frame, column: str) -> Iterable[list[Any]]:
    """The column's cells, window by window. Raises KeyError, which names the nearest column, or all."""
    if column not in frame.columns:
        columns = list(map(str, frame.columns))
        near = get_close_matches(column, columns, n=1)
        meant = f": did you mean {near[0]!r}?" if near else f"; there are {', '.join(columns)}"
        raise KeyError(f"no column {column!r}{meant}")
    cells = list(frame[column])
    return [cells[start : start + WINDOW] for start in range(0, len(cells), WINDOW)]


def texts(cells: Sequence[Any]) -> list[str]:
    """Those that are texts: a missing value is none."""
    return [cell for cell in cells if isinstance(cell, str)]


def beside(cells: Sequence[Any], answers: Iterable[Answer]) -> list[Answer]:
    """One answer per cell, where `answers` are those of `texts(cells)`."""
    given = iter(answers)
    return [next(given) if isinstance(cell, str) else NO_TEXT for cell in cells]


def joined(frame: F, answers: Sequence[Answer]) -> F:
    """The frame with the columns of its answers behind its own; a cell is None where an answer has no such member."""
    columns: dict[str, list[Any]] = {
        name: [getattr(answer, name) if isinstance(answer, Prediction) else None for answer in answers]
        for name in ("label", "score", "tokens", "truncated")
    }
    columns["error"] = [answer.code if isinstance(answer, TextError) else None for answer in answers]
    marks = {name: [getattr(answer, name, None) for answer in answers] for name in USUAL}
    columns |= {name: cells for name, cells in marks.items() if {*cells} - {None, USUAL[name]}}
    return frame.assign(**{_free(name, frame): cells for name, cells in columns.items()})


def _free(name: str, frame: Frame) -> str:
    return _free(f"predicted_{name}", frame) if name in frame.columns else name
