"""A cell of a table as text."""

from __future__ import annotations

import math
from typing import Any


def cell_text(value: Any) -> str:
    """A cell as text, numbers as JSON writes whole ones. Raises ValueError for what is no text."""
    match value:
        case str():
            found = value.strip()
        case None:
            found = ""
        case bool():
            found = str(value).lower()
        case float():
            found = "" if math.isnan(value) else str(int(value)) if value.is_integer() else str(value)
        case dict() | list() | bytes():
            raise ValueError(f"a {type(value).__name__} where a text is meant")
        case _:
            found = str(value)
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise ValueError("no valid Unicode") from error
    return found
