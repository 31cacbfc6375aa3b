"""What a name that does not exist was probably meant to be."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LONGEST = 100
"""A longer name is mischief, and would take long to compare."""


def hint(name: str, known: Iterable[str]) -> str:
    """Ask `: did you mean 'texts'?`, or nothing when no known name is near."""
    near = nearest(name, known)
    return f": did you mean {near!r}?" if near else ""


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that is most like this one, if any is at least so like it (0 to 1), whatever its case."""
    if len(name) > LONGEST:
        return None
    by_lower_case = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=likeness)
    return by_lower_case[found[0]] if found else None
