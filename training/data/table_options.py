"""How to read a table of labelled texts: each is an option of the command line, and told from the file if not given."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from contract.strict import Strict
from training.data.table_rows import Quotes, Reading


class TableOptions(Strict):
    """Columns, rows and how the file is written."""

    text_column: str | None = Field(default=None, description="the column with the texts; a usual name is found")
    label_column: str | None = Field(default=None, description="the column with the labels; a usual name is found")
    label_columns: str | None = Field(
        default=None,
        description="columns of 0 and 1, a label each, by their names: a,b,c; found if no other has labels",
    )
    label_separator: str | None = Field(
        default=None,
        min_length=1,
        description="what divides the labels of a text; none: each has one; told by the cells",
    )
    other: str | None = Field(
        default=None,
        description="the label of texts that have none of the others; rows without a label get it; '' leaves those "
        "out; told by how many they are",
    )
    bad_rows: Literal["drop", "refuse"] = Field(
        default="drop", description="what to do with rows that can't be read or lack a text or a label: drop, refuse"
    )
    odd_rows: int = Field(default=10, ge=0, description="rows that can't be read and may be left out")
    delimiter: str | None = Field(default=None, description="what divides the cells of a row; tab for a tab")
    encoding: str | None = Field(default=None, description="utf-8, cp1252, utf-16, … as Python names them")
    quotes: Literal["csv", "text"] = Field(
        default="csv", description="csv: a quotation mark encloses a cell; text: it is a letter like others"
    )

    @model_validator(mode="after")
    def readable(self) -> TableOptions:
        """Delimiter and encoding are such that something can be read with them, and labels are in one place."""
        _ = self.reading
        if self.label_columns and (self.label_column or self.label_separator):
            raise ValueError("--label-columns goes without --label-column and --label-separator")
        return self

    @property
    def reading(self) -> Reading:
        """How the rows are to be read."""
        allowed = 0 if self.bad_rows == "refuse" else self.odd_rows
        return Reading(delimiter=self.delimiter, encoding=self.encoding, quotes=Quotes(self.quotes), odd_rows=allowed)
