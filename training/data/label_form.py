"""How a table writes labels: one a text or any number of them, as a list, divided by a sign, or a column for each.

What is not said is told from the cells of the whole table. A sign in a label is no proof: `Rome, Italy` is one label.
So cells are divided only where that explains the table with fewer labels than it has different cells, where nearly
every part comes in other cells too, and where most of the divided cells hold a label that elsewhere is alone in a cell.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATORS = ("|", ";", ",")
NO_SEPARATOR = "none"
"""Said in place of a separator: every cell is one label, whatever signs it has."""
NOTABLE = 0.01
"""Share of the labelled cells that hold a sign from which on it may be a separator: a slip of the pen is no proof."""
RECURRING, ALONE = 0.8, 0.5
DECIMAL = re.compile(r"\d+,\d+")
"""With a comma, as much of Europe writes it."""

Cell = str | list[str]
LabelSet = tuple[str, ...]
"""The labels of a text, sorted."""


@dataclass(frozen=True)
class LabelForm:
    """How labels are written. With a `separator` or in lists a text may have several."""

    several: bool = False
    separator: str | None = None
    told: bool = False
    """Whether the cells, as they look, say so; they could be meant otherwise."""

    def labels(self, cell: Cell) -> LabelSet:
        """The labels in a cell, sorted; none in an empty one. Raises ValueError for a list where one label is meant."""
        if not self.several:
            if isinstance(cell, list):
                raise ValueError("a list where a text is meant")
            return (cell,) if cell else ()
        if isinstance(cell, str):
            cell = cell.split(self.separator) if self.separator else _as_list(cell)
        return tuple(sorted({part.strip() for part in cell} - {""}))

    @property
    def options(self) -> dict[str, str]:
        """Of `TableOptions`: what says that another file is written so. Lists need not be said."""
        if not self.several:
            return {"label_separator": NO_SEPARATOR}
        return {"label_separator": self.separator} if self.separator else {}

    def notes(self, label_sets: Sequence[LabelSet], otherwise: str) -> list[str]:
        """What was decided, and the option that decides otherwise; nothing where there was nothing to decide."""
        if not self.several:
            signs = _signs(Counter(label for labels in label_sets for label in labels))
            return [f"labels hold {sign!r} and are not divided: --label-separator {sign!r} would" for sign in signs]
        counts, classes = (
            [len(labels) for labels in label_sets] or [0],
            {each for labels in label_sets for each in labels},
        )
        divided = f", divided by {self.separator!r}" if self.separator else ""
        if self.told:
            otherwise = f"; --label-separator {NO_SEPARATOR} takes a cell as one label"
        return [
            f"several labels a text{divided}: {min(counts)} to {max(counts)} of {len(classes)}, none in "
            f"{counts.count(0)} texts{otherwise}"
        ]


ONE_A_TEXT = LabelForm()
LISTS = LabelForm(several=True)


def label_form(cells: Sequence[Cell], separator: str | None) -> LabelForm:
    """The form of a table's label cells; `separator` is what the user said of it."""
    labelled = [cell for cell in cells if cell]
    if sum(isinstance(cell, list) for cell in labelled) * 2 > len(labelled):
        return LISTS
    if separator:
        return ONE_A_TEXT if separator == NO_SEPARATOR else LabelForm(True, separator)
    counts = Counter(cell for cell in labelled if isinstance(cell, str))
    if _are_written_lists(counts):
        return LabelForm(several=True, told=True)
    likely = [sign for sign in _signs(counts) if _divides(counts, sign)]
    return LabelForm(True, likely[0], told=True) if likely else ONE_A_TEXT


def _signs(counts: Counter[str]) -> list[str]:
    """Separators that a notable share of the cells has, the most frequent one first."""
    having = {sign: sum(count for cell, count in counts.items() if sign in cell) for sign in SEPARATORS}
    least = max(2, NOTABLE * counts.total())
    return sorted((sign for sign in SEPARATORS if having[sign] >= least), key=lambda sign: -having[sign])


def _divides(counts: Counter[str], sign: str) -> bool:
    """Whether the cells, with how often each occurs, are sets of labels that this sign divides."""
    sets = {cell: LabelForm(True, sign).labels(cell) for cell in counts}
    divided = [cell for cell in sets if sign in cell]
    if sign == "," and all(DECIMAL.fullmatch(cell) for cell in divided):
        return False
    cells_of: dict[str, set[LabelSet]] = defaultdict(set)
    for labels in sets.values():
        for label in labels:
            cells_of[label].add(labels)
    parts = sum(counts[cell] * len(sets[cell]) for cell in divided)
    recurring = sum(counts[cell] * sum(len(cells_of[label]) > 1 for label in sets[cell]) for cell in divided)
    rows = sum(counts[cell] for cell in divided)
    beside_one_alone = sum(
        counts[cell]
        for cell in divided
        if any((label,) in cells_of[label] for label in sets[cell] if len(sets[cell]) > 1)
    )
    return (
        len(cells_of) < len(set(sets.values())) and recurring >= RECURRING * parts and beside_one_alone >= ALONE * rows
    )


def _are_written_lists(counts: Counter[str]) -> bool:
    """Whether every cell is a list in the spelling of JSON or Python, and not each one of a single label."""
    lengths = set[int]()
    for cell in counts:
        try:
            lengths.add(len(_as_list(cell, strict=True)))
        except ValueError:
            return False
    return bool(lengths - {1})


def _as_list(cell: str, strict: bool = False) -> list[str]:
    """The strings of a list that is written in a cell; the cell itself where it is none, a ValueError if `strict`."""
    if cell.startswith("[") and cell.endswith("]"):
        for read in (json.loads, ast.literal_eval):
            try:
                found = read(cell)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(found, list) and all(isinstance(each, str | int) for each in found):
                return [str(each) for each in found]
    if strict:
        raise ValueError("no list")
    return [cell]
