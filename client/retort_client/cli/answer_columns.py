"""The columns that answers add to a row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from retort_client.cli.errors import BadInput
from retort_client.cli.tables import Cells
from retort_client.documents import Answer, TextError
from retort_client.wire import Options

ALWAYS = ("label", "score", "tokens", "truncated", "error", "detail")
PREFIX = "predicted_"


class AnswerColumns:
    """Their names beside the columns `taken`: `label`, or `predicted_label` where that is taken."""

    def __init__(self, options: Options, taken: Collection[str]) -> None:
        asked = [*ALWAYS, *["top"] * (options.get("top_k", 1) > 1), *["scores"] * options.get("scores", False)]
        self._names = {member: _free(member, taken) for member in asked}

    @property
    def names(self) -> list[str]:
        return list(self._names.values())

    def joined(self, cells: Cells, answer: Answer) -> Cells:
        """The row with its answer. Raises BadInput."""
        if clash := cells.keys() & set(self.names):
            raise BadInput(f"a row has members that the first has not and that answers need: {', '.join(clash)}")
        return {**cells, **{self._names[member]: value for member, value in _members(answer).items()}}


def _free(name: str, taken: Collection[str]) -> str:
    return _free(PREFIX + name, taken) if name in taken else name


def _members(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, TextError):
        return {"error": answer.code, "detail": answer.detail}
    found: dict[str, Any] = {name: getattr(answer, name) for name in ("label", "score", "tokens", "truncated")}
    if answer.top:
        found["top"] = [{"label": one.label, "score": one.score} for one in answer.top]
    if answer.scores is not None:
        found["scores"] = answer.scores
    return found
