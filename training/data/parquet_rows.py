"""Rows of Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from training.data.table_lines import BadTable
from training.data.table_rows import OddRows, Row


class ParquetRows:
    """The rows of a Parquet file, numbered from 1 as its lines. Raises BadTable."""

    def __init__(self, path: Path, odd_rows: int) -> None:
        self.notes: list[str] = []
        self.odd = OddRows(odd_rows)
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowException as error:
            raise BadTable(str(error)) from error
        self.columns: list[str] = self._file.schema_arrow.names
        self._selected: list[str] | None = None

    def select(self, columns: list[str]) -> None:
        """Read no other columns than these."""
        self._selected = columns

    def __iter__(self) -> Iterator[Row]:
        number = 0
        for batch in self._file.iter_batches(columns=self._selected):
            for cells in batch.to_pylist():
                number += 1
                yield Row(number, cells)
