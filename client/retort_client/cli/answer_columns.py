"""The columns that answers add to a row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from retort_client.cli.errors import BadInput
from retort_client.cli.label_cells import LabelCells
from retort_client.cli.tables import Cells
from retort_client.documents import Answer, TextError
from retort_client.frames import USUAL
from retort_client.wire import Options

READ = ("tokens", "truncated")
FAILED = ("error", "detail")
PREFIX = "predicted_"


class AnswerColumns:
    """Their names beside the columns `taken`: `label`, or `predicted_label` where that is taken."""

    def __init__(self, options: Options, taken: Collection[str], labels: LabelCells, *, marks: bool = False) -> None:
        """marks: with a column for each member that few answers have."""
        self._labels = labels
        self._marks = tuple(USUAL) if marks else ()
        cut = ["span"] * options.get("span", False)
        asked = [*cut, *["top"] * (options.get("top_k", 1) > 1), *["scores"] * options.get("scores", False)]
        self.names: list[str] = []
        for member in (*labels.names, *READ, *FAILED, *self._marks, *asked):
            self.names.append(_free(member, {*taken, *self.names}))
        self._label_names = self.names[: len(labels.names)]
        self._names = dict(zip((*READ, *FAILED, *self._marks, *asked), self.names[len(labels.names) :], strict=True))

    @property
    def settings(self) -> dict[str, Any]:
        """What of their form must be the same for a run to go on."""
        return self._labels.settings

    def joined(self, cells: Cells, answer: Answer) -> Cells:
        """The row with its answer. Raises BadInput."""
        if clash := cells.keys() & set(self.names):
            raise BadInput(f"a row has members that the first has not and that answers need: {', '.join(clash)}")
        if isinstance(answer, TextError):
            return {**cells, self._names["error"]: answer.code, self._names["detail"]: answer.detail}
        labels = dict(zip(self._label_names, self._labels.cells(answer), strict=True))
        members: dict[str, Any] = {"tokens": answer.tokens, "truncated": answer.truncated}
        members |= {mark: value for mark in self._marks if (value := getattr(answer, mark, USUAL[mark])) != USUAL[mark]}
        if answer.span:
            members["span"] = list(answer.span)
        if answer.top:
            members["top"] = [{"label": one.label, "score": one.score} for one in answer.top]
        if answer.scores is not None:
            members["scores"] = answer.scores
        return {**cells, **labels, **{self._names[member]: value for member, value in members.items()}}


def _free(name: str, taken: Collection[str]) -> str:
    return _free(PREFIX + name, taken) if name in taken else name
