"""How the label of an answer, or its labels, become the cells of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from retort_client.cli.errors import BadInput
from retort_client.client import Client
from retort_client.documents import ModelVersion, MultiLabelPrediction, Prediction
from retort_client.errors import NotFound

Predicted = Prediction | MultiLabelPrediction


class LabelCells(Protocol):
    """One of the forms below."""

    @property
    def names(self) -> Sequence[str]:
        """Of its columns."""

    @property
    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to go on; nothing for a model that gives each text one label."""

    def cells(self, answer: Predicted) -> list[Any]:
        """One per name. Raises BadInput when the answer is of another kind of model."""


class OneLabel:
    """`label` and `score`, of a model that gives each text one label."""

    names = ("label", "score")

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    def cells(self, answer: Predicted) -> list[Any]:
        if isinstance(answer, MultiLabelPrediction):
            raise _changed()
        return [answer.label, answer.score]


class JoinedLabels:
    """The labels that hold, best first, and their scores, in a column each."""

    names = ("labels", "label_scores")

    def __init__(self, separator: str | None, labels: Sequence[str]) -> None:
        """`separator`: lists are written when it is None. Raises BadInput when a label contains it."""
        if separator is not None and (odd := [label for label in labels if separator in label]):
            raise BadInput(f"the label {odd[0]!r} has {separator!r} in it: name another --label-separator")
        self._separator = separator
        self.settings = {"label separator": separator}

    def cells(self, answer: Predicted) -> list[Any]:
        held = _several(answer).labels
        return [self._joined([one.label for one in held]), self._joined([one.score for one in held])]

    def _joined(self, values: Sequence[object]) -> object:
        return values if self._separator is None else self._separator.join(map(str, values))


class LabelColumns:
    """A column of 0 and 1 for every label of the model."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.names = labels
        self.settings = {"label columns": list(labels)}

    def cells(self, answer: Predicted) -> list[Any]:
        held = {one.label for one in _several(answer).labels}
        if unknown := held.difference(self.names):
            raise BadInput(f"the model has new labels ({', '.join(sorted(unknown))}): --restart starts anew")
        return [int(name in held) for name in self.names]


def label_cells(client: Client, model: str | None, separator: str | None, *, columns: bool) -> LabelCells:
    """The form that the answers of the model will have; the service's default model when `model` is None.

    separator: between the labels of a text; None for lists. columns: a column a label instead. Raises RetortError.
    """
    version = _current(client, model)
    if version is None or version.thresholds is None:
        return OneLabel()
    return LabelColumns(version.labels) if columns else JoinedLabels(separator, version.labels)


def _current(client: Client, model: str | None) -> ModelVersion | None:
    """The version that is to be served, where the service knows it."""
    name = model or next((one.name for one in client.models() if one.default), None)
    try:
        versions = client.model(name) if name else []
    except NotFound:
        return None
    return next((version for version in versions if version.current), None)


def _several(answer: Predicted) -> MultiLabelPrediction:
    if isinstance(answer, Prediction):
        raise _changed()
    return answer


def _changed() -> BadInput:
    return BadInput("the model gives one label to a text, or several, and was the other kind before: --restart")
