"""Labelled texts from a file: CSV, TSV, JSON lines or Parquet, also packed with gzip."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.data.parquet_rows import ParquetRows
from training.data.table_lines import BadTable
from training.data.table_options import TableOptions
from training.data.table_rows import TEXT_COLUMNS, Format, Reading, TableRows, column_named
from training.errors import BadData

LABEL_COLUMNS = ("label", "labels", "tags", "tag", "category", "class", "intent", "target", "topic", "sentiment")
PARQUET = ".parquet"
FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}
SHOWN_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Table:
    """Texts with one label each; every row is usable."""

    texts: list[str]
    labels: list[str]
    dropped: dict[str, int]
    """Rows that could not be used and are not here, by what was wrong with them."""
    notes: list[str] = field(default_factory=list, compare=False)
    """How the file was read, and which of its lines were left out and why."""

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


def read_table(path: Path, options: TableOptions = TableOptions()) -> Table:  # noqa: B008 (frozen)
    """The texts and labels of the file at `path`; its ending says the format.

    Raises BadData when it can't be read, a column is missing, more rows are odd than may be left out, no row is usable,
    or rows are bad and `options.bad_rows` is "refuse".
    """
    strict = options.bad_rows == "refuse"
    try:
        with _opened(path, options.reading) as rows:
            table = _usable(rows, options, path)
    except OSError as error:
        raise BadData(f"{path}: {error.strerror or error}") from error
    except BadTable as error:
        advice = (
            "" if strict else "; --delimiter, --quotes and --encoding say how to read it, --odd-rows how many to skip"
        )
        raise BadData(f"{path}: {error}{advice}") from error
    if table.dropped and strict:
        raise BadData(f"{path}: " + ", ".join(f"{problem}: {count} rows" for problem, count in table.dropped.items()))
    if not table:
        raise BadData(f"{path}: no row has both a text and a label")
    return table


def normalized(text: str) -> str:
    """What two texts share that differ in nothing but case and white space."""
    return " ".join(text.casefold().split())


@contextmanager
def _opened(path: Path, reading: Reading) -> Iterator[TableRows | ParquetRows]:
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix == PARQUET:
        yield ParquetRows(path, reading.odd_rows)
    elif suffix in FORMATS:
        with path.open("rb") as file:
            yield TableRows(file, FORMATS[suffix], reading)
    else:
        raise BadTable(f"unknown format {suffix!r}; known are {', '.join([*FORMATS, PARQUET])}, packed with .gz or not")


def _usable(rows: TableRows | ParquetRows, options: TableOptions, path: Path) -> Table:
    text_column = _column(rows.columns, options.text_column, TEXT_COLUMNS, "text", path)
    label_column = _column(rows.columns, options.label_column, LABEL_COLUMNS, "label", path)
    if isinstance(rows, ParquetRows):
        rows.select([text_column, label_column])
    texts, labels = list[str](), list[str]()
    empty: dict[str, list[int]] = {"empty text": [], "empty label": []}
    for row in rows:
        try:
            text, label = _string(row.cells.get(text_column)), _string(row.cells.get(label_column))
        except ValueError as error:
            rows.odd.add(row.line, str(error))
            continue
        if text and label:
            texts.append(text)
            labels.append(label)
        else:
            empty["empty text" if not text else "empty label"].append(row.line)
    rows.odd.check(len(texts) + sum(map(len, empty.values())))
    dropped = {"odd row": len(rows.odd.found)} | {problem: len(lines) for problem, lines in empty.items()}
    read_as = [f"columns {text_column!r} and {label_column!r}", *rows.notes]
    return Table(
        texts=texts,
        labels=labels,
        dropped={problem: count for problem, count in dropped.items() if count},
        notes=[
            f"{path.name}: {', '.join(read_as)}",
            *(f"left out {odd}" for odd in rows.odd.found),
            *(f"{problem}: {_lines(lines)}" for problem, lines in empty.items() if lines),
        ],
    )


def _column(found: Any, wanted: str | None, usual: tuple[str, ...], kind: str, path: Path) -> str:
    column = column_named(found, [wanted] if wanted else usual)
    if column is None:
        missing = f"no column {wanted}" if wanted else f"which column has the {kind}s?"
        raise BadData(f"{path}: {missing} It has {', '.join(found)}: say --{kind}-column NAME")
    return column


def _string(value: Any) -> str:
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


def _lines(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN_LINES]))
    rest = f" and {len(numbers) - SHOWN_LINES} more" if len(numbers) > SHOWN_LINES else ""
    return f"line {shown}{rest}"
