"""Labelled texts from CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from training.errors import BadData

BadRows = Literal["drop", "refuse"]

READERS: dict[str, Callable[..., pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False, on_bad_lines="warn"),
    ".tsv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False, on_bad_lines="warn", sep="\t"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False),
    ".parquet": pd.read_parquet,
}


@dataclass(frozen=True)
class Table:
    """Texts with one label each; every row is usable."""

    texts: list[str]
    labels: list[str]
    dropped: dict[str, int]
    """Rows that could not be used and are not here, by what was wrong with them."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def classes(self) -> list[str]:
        return sorted(set(self.labels))

    @property
    def sha256(self) -> str:
        """Fingerprint of the usable rows and their order, whatever the format of the file."""
        digest = hashlib.sha256()
        for row in zip(self.texts, self.labels, strict=True):
            digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()


def read_table(path: Path, text: str = "post", label: str = "tags", bad_rows: BadRows = "drop") -> Table:
    """The columns `text` and `label` of the file at `path`; its suffix says the format.

    Raises BadData when it can't be read, a column is missing, no row is usable, or rows are bad and `bad_rows` is
    "refuse".
    """
    frame, malformed = _read(path)
    if missing := [name for name in (text, label) if name not in frame.columns]:
        raise BadData(f"{path}: no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    texts, labels = _strings(frame[text]), _strings(frame[label])
    no_text, no_label = texts.eq(""), labels.eq("")
    counts = {
        "malformed line": malformed,
        "empty text": int(no_text.sum()),
        "empty label": int((no_label & ~no_text).sum()),
    }
    dropped = {problem: count for problem, count in counts.items() if count}
    if dropped and bad_rows == "refuse":
        raise BadData(f"{path}: " + ", ".join(f"{problem}: {count} rows" for problem, count in dropped.items()))
    usable = ~(no_text | no_label)
    if not usable.any():
        raise BadData(f"{path}: no row has both a text and a label")
    return Table(texts[usable].tolist(), labels[usable].tolist(), dropped)


def normalized(text: str) -> str:
    """What two texts share that differ in nothing but case and white space."""
    return " ".join(text.casefold().split())


def _read(path: Path) -> tuple[pd.DataFrame, int]:
    """The table, and how many lines had another number of fields than the header."""
    if path.suffix not in READERS:
        raise BadData(f"{path}: unknown format {path.suffix!r}; known are {', '.join(READERS)}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", pd.errors.ParserWarning)
        try:
            frame = READERS[path.suffix](path)
        except OSError as error:
            raise BadData(f"{path}: {error.strerror or error}") from error
        except (ValueError, ImportError) as error:
            raise BadData(f"{path}: {error}") from error
    return frame, sum(len(re.findall("Skipping line", str(warning.message))) for warning in caught)


def _strings(column: pd.Series[Any]) -> pd.Series[str]:
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()
