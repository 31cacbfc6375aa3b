"""The answers of a job as tensors of the Open Inference Protocol: an element, or a row, for each text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from api.http.problems import FieldError, Problem, invalid
from api.http.tensors import DataType, Tensor
from api.jobs.results import Row
from contract.prediction import Options

ALWAYS = ("unfamiliar", "tokens", "truncated", "unknown", "windows", "error")
MOST_NAMED = 5
"""Failed texts that a refusal names."""


@dataclass(frozen=True, kw_only=True)
class AnswerTable:
    """What a job says of its texts. A text that could not be predicted has empty or zero elements, and an `error`."""

    rows: Sequence[Row]
    classes: Sequence[str]
    """Every label of the model, as far as that is known; where scores were asked for, in their order."""
    multi_label: bool
    options: Options

    def tensors(self, names: Sequence[str]) -> list[Tensor]:
        """The outputs of these names, the usual ones if none is named.

        Raises Problem for one that the model does not give, and when a text has failed and nobody asks for `error`.
        """
        asked = names or self._usual()
        produced = self._produced()
        for number, name in enumerate(asked):
            if name not in produced:
                raise invalid(FieldError("pointer", f"/outputs/{number}/name", self._why_not(name)))
        if "error" not in asked:
            self._refuse_failed()
        return [self._tensor(name) for name in asked]

    def _usual(self) -> list[str]:
        optional = ["top_label", "top_score"] * (self.options.top_k > 1) + ["scores", "classes"] * self.options.scores
        return [*self._chosen(), *self._marks(), *ALWAYS, *optional]

    def _chosen(self) -> list[str]:
        return ["labels"] if self.multi_label else ["label", "score"]

    def _marks(self) -> list[str]:
        return [] if self.multi_label else ["review"]

    def _produced(self) -> set[str]:
        top = {"top_label", "top_score"} if self.options.top_k > 1 else set()
        return {*self._chosen(), *self._marks(), *ALWAYS, "scores", "classes", *top}

    def _why_not(self, name: str) -> str:
        if name.startswith("top_"):
            return f"{name!r} needs the parameter `top_k`, 2 or more"
        several = "any number of labels" if self.multi_label else "one label"
        return f"this model gives a text {several}, and no {name!r}: ask for {' and '.join(self._chosen())}"

    def _refuse_failed(self) -> None:
        failed = [f"text {number}: {told}" for number, row in enumerate(self.rows) if (told := _error(row))]
        if failed:
            more = f"; and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
            raise Problem("texts-not-predicted", "; ".join(failed[:MOST_NAMED]) + more)

    def _tensor(self, name: str) -> Tensor:
        if name == "classes":
            return Tensor(name=name, datatype="BYTES", shape=(len(self.classes),), values=self.classes)
        if name in _COLUMNS:
            datatype, value = _COLUMNS[name]
            return Tensor(
                name=name, datatype=datatype, shape=(len(self.rows),), values=[value(row) for row in self.rows]
            )
        datatype, width, lines = self._lines(name)
        values = list(chain.from_iterable(lines))
        return Tensor(name=name, datatype=datatype, shape=(len(self.rows), width), values=values)

    def _lines(self, name: str) -> tuple[DataType, int, list[Sequence[Any]]]:
        """A line for each text, all of one width."""
        if name == "scores":
            zeros = [0.0] * len(self.classes)
            return "FP32", len(zeros), [list(row["scores"].values()) if "scores" in row else zeros for row in self.rows]
        datatype, member, empty = _TOP[name]
        width = max((len(row["top"]) for row in self.rows if "top" in row), default=0)
        lines: list[Sequence[Any]] = [
            [one[member] for one in row["top"]] if "top" in row else [empty] * width for row in self.rows
        ]
        return datatype, width, lines


def _error(row: Row) -> str:
    """Empty where there is none."""
    error = row.get("error")
    return f"{error['code']}: {error['detail']}" if error else ""


def _labels(row: Row) -> str:
    return json.dumps(row.get("labels", []), ensure_ascii=False)


_COLUMNS: Mapping[str, tuple[DataType, Callable[[Row], Any]]] = {
    "label": ("BYTES", lambda row: row.get("label", "")),
    "score": ("FP32", lambda row: row.get("score", 0.0)),
    "labels": ("BYTES", _labels),
    "review": ("BOOL", lambda row: row.get("review", False)),
    "unfamiliar": ("BOOL", lambda row: row.get("unfamiliar", False)),
    "tokens": ("INT32", lambda row: row.get("tokens", 0)),
    "truncated": ("BOOL", lambda row: row.get("truncated", False)),
    "unknown": ("FP32", lambda row: row.get("unknown", 0.0)),
    "windows": ("INT32", lambda row: 0 if "error" in row else row.get("windows", 1)),
    "error": ("BYTES", _error),
}
_TOP: Mapping[str, tuple[DataType, str, object]] = {
    "top_label": ("BYTES", "label", ""),
    "top_score": ("FP32", "score", 0.0),
}
