"""Labelled texts from a file: CSV, TSV, JSON lines or Parquet, also packed with gzip."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from training.data.cells import cell_text
from training.data.fetched import local_file
from training.data.label_columns import LabelColumns, label_columns, required_column
from training.data.label_form import Cell, LabelForm, LabelSet, label_form
from training.data.other_label import other_label, other_note
from training.data.parquet_rows import ParquetRows
from training.data.table_lines import BadTable, OtherKind, refuse_other_kinds
from training.data.table_options import TableOptions
from training.data.table_rows import TEXT_COLUMNS, Format, Reading, TableRows
from training.errors import BadData

PARQUET = ".parquet"
FORMATS = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}
SHOWN_LINES = 3


class RowOrigin(NamedTuple):
    """Where a row was read."""

    file: str
    """Its name, without folders."""
    line: int
    """From 1, the last one of a row of several; the number of the row where a format has no lines."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Texts with their labels; every row is usable."""

    texts: list[str]
    label_sets: list[LabelSet]
    """The labels of each text, sorted: exactly one unless a text may have `several`, then any number of them."""
    dropped: dict[str, int]
    """Rows that could not be used and are not here, by what was wrong with them."""
    notes: list[str] = field(default_factory=list, compare=False)
    """How the file was read, and which of its lines were left out and why."""
    places: list[RowOrigin] = field(default_factory=list, compare=False)
    """Where each row was read, if it was in a file."""
    several: bool = False
    other: str | None = None
    """The label of texts that have none of the others, if there is one."""
    read_by: TableOptions = field(default=TableOptions(), compare=False)
    """Options that read the labels of another file in the same way, whatever its cells look like."""

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def labels(self) -> list[str]:
        """The label of each text, in a table where each has one."""
        return [label for (label,) in self.label_sets]

    @property
    def classes(self) -> list[str]:
        return sorted(set(chain.from_iterable(self.label_sets)))

    @property
    def sha256(self) -> str:
        """Fingerprint of the usable rows and their order, whatever the format of the file."""
        digest = hashlib.sha256()
        for row in zip(self.texts, self.label_sets if self.several else self.labels, strict=True):
            digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()


def one_label_table(texts: list[str], labels: Iterable[str], dropped: dict[str, int] | None = None) -> Table:
    """The table of texts with one label each."""
    return Table(texts=texts, label_sets=[(label,) for label in labels], dropped=dropped or {})


def read_table(source: Path | str, options: TableOptions = TableOptions()) -> Table:  # noqa: B008 (frozen)
    """The texts and labels of a file, or of an object such as `s3://bucket/tickets.csv`; its ending says the format.

    Raises BadData when it can't be read, a column is missing, more rows are odd than may be left out, no row is usable,
    or rows are bad and `options.bad_rows` is "refuse".
    """
    strict = options.bad_rows == "refuse"
    try:
        with local_file(source) as path, _opened(path, options.reading) as rows:
            table = _usable(rows, options, source)
    except OSError as error:
        raise BadData(f"{source}: {error.strerror or error}") from error
    except BadTable as error:
        advice = (
            ""
            if strict or isinstance(error, OtherKind)
            else "; --delimiter, --quotes and --encoding say how to read it, --odd-rows how many to skip"
        )
        raise BadData(f"{source}: {error}{advice}") from error
    if table.dropped and strict:
        raise BadData(f"{source}: " + ", ".join(f"{problem}: {count} rows" for problem, count in table.dropped.items()))
    if not table:
        raise BadData(f"{source}: no row has both a text and a label")
    return table


def normalized(text: str) -> str:
    """What two texts share that differ in nothing but case and white space."""
    return " ".join(text.casefold().split())


@contextmanager
def _opened(path: Path, reading: Reading) -> Iterator[TableRows | ParquetRows]:
    suffix = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if suffix == PARQUET:
        yield ParquetRows(path, reading.odd_rows)
        return
    with path.open("rb") as file:
        if suffix in FORMATS:
            yield TableRows(file, FORMATS[suffix], reading)
            return
        refuse_other_kinds(file.read(8))
        raise BadTable(f"unknown format {suffix!r}; known are {', '.join([*FORMATS, PARQUET])}, packed with .gz or not")


def _usable(rows: TableRows | ParquetRows, options: TableOptions, source: Path | str) -> Table:
    name = Path(source).name
    text_column = required_column(rows.columns, options.text_column, TEXT_COLUMNS, "text")
    columns = label_columns(rows.columns, options, text_column)
    if isinstance(rows, ParquetRows):
        rows.select([text_column, *columns.names])
    read = list(_readable(rows, text_column, columns))
    cells = columns.ended([row.labels for row in read])
    form = label_form(cells, options.label_separator)
    unlabelled = sum(bool(row.text) and not cell for row, cell in zip(read, cells, strict=True))
    other = _other(form, options, source, unlabelled, sum(bool(row.text) for row in read))
    texts, label_sets, places = list[str](), list[LabelSet](), list[RowOrigin]()
    empty: dict[str, list[int]] = {"empty text": [], "empty label": []}
    for row, cell in zip(read, cells, strict=True):
        try:
            labels = form.labels(cell) or ((other,) if other else ())
        except ValueError as error:
            rows.odd.add(row.line, str(error))
            continue
        if row.text and (labels or form.several):
            texts.append(row.text)
            label_sets.append(labels)
            places.append(RowOrigin(name, row.line))
        else:
            empty["empty text" if not row.text else "empty label"].append(row.line)
    rows.odd.check(len(texts) + sum(map(len, empty.values())))
    dropped = {"odd row": len(rows.odd.found)} | {problem: len(lines) for problem, lines in empty.items()}
    read_as = [f"columns {text_column!r} and {', '.join(map(repr, columns.names))}", *rows.notes]
    notes = [
        f"{name}: {', '.join(read_as)}",
        *(f"left out {odd}" for odd in rows.odd.found),
        *(f"{problem}: {_lines(lines)}" for problem, lines in empty.items() if lines),
        *form.notes(label_sets, columns.otherwise),
        *([other_note(other, options.other, unlabelled)] if other else []),
    ]
    read_by = columns.options | (form.options if len(columns.names) == 1 else {})
    return Table(
        texts=texts,
        label_sets=label_sets,
        dropped={problem: count for problem, count in dropped.items() if count},
        notes=notes,
        places=places,
        several=form.several,
        other=other,
        read_by=options.model_copy(update=read_by | ({} if form.several else {"other": other or ""})),
    )


def _other(form: LabelForm, options: TableOptions, source: Path | str, unlabelled: int, texts: int) -> str | None:
    """The label of texts without one. Raises BadData where such a label is asked for and none is needed."""
    if not form.several:
        return other_label(options.other, unlabelled, texts, strict=options.bad_rows == "refuse")
    if options.other:
        raise BadData(
            f"{source}: a text may have several labels, and one without any has none of them; no --other is needed"
        )
    return None


class _ReadRow(NamedTuple):
    line: int
    text: str
    labels: Cell


def _readable(rows: TableRows | ParquetRows, text_column: str, columns: LabelColumns) -> Iterator[_ReadRow]:
    """The rows whose text and label cells can be read; the others are odd."""
    for row in rows:
        try:
            read = _ReadRow(row.line, cell_text(row.cells.get(text_column)), columns.cell(row.cells))
        except ValueError as error:
            rows.odd.add(row.line, str(error))
            continue
        yield read


def _lines(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN_LINES]))
    rest = f" and {len(numbers) - SHOWN_LINES} more" if len(numbers) > SHOWN_LINES else ""
    return f"line {shown}{rest}"
