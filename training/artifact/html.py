"""HTML of tables and pictures; whatever comes from a user is escaped."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from html import escape
from typing import Any


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table with a header line; numbers to the right, floats with four decimals, None as an empty cell."""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def picture(name: str, shows: str, pictures: Collection[str]) -> str:
    """The picture of this name, if it is among those that there are."""
    return f'<img src="{name}" alt="{shows}">' if name in pictures else ""


def section(title: str, *parts: str) -> str:
    """A heading with what belongs to it."""
    return "\n".join([f"<h2>{escape(title)}</h2>", *filter(None, parts)])


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape(str(value))}</td>"
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return f'<td class="number">{text}</td>'
