"""What is asked about each text and what is answered: options of a job, predictions of a chunk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from contract.artifact import Manifest
from contract.strict import Strict
from contract.windows import LongReading

TextErrorCode = Literal["text-too-long", "text-failed", "empty-text", "not-predicted"]
KINDS_OF_OPTIONS = 256
"""Different options that are remembered in each form: nearly all jobs ask alike."""
DIGITS = 6
"""Decimals of a score: float32 has no more to say."""
SHARE_DIGITS = 2
NOTABLE_UNKNOWN = 0.2
"""Share of a text's tokens that the vocabulary does not know, from which on the answer says it."""
OF_THE_FIRST_RELEASE = frozenset({"top_k", "scores", "truncate"})


def _without_fraction(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(_without_fraction)
"""An integer as JSON Schema means it: 3.0 is one, "3" and true are not."""


class Options(Strict):
    """How a job wants its texts predicted. The API's schema, the record and the documentation are made from this."""

    top_k: Annotated[int, Field(ge=1, le=1000), WHOLE] = Field(
        default=1, description="labels per text, best first; more than one adds `top`"
    )
    scores: bool = Field(default=False, description="add `scores`, every label's score")
    truncate: Literal["right", "left", "error"] = Field(
        default="right", description="which end of a text longer than the model's maximum is cut off; or an error"
    )
    long: LongReading | None = Field(
        default=None,
        description="how a text longer than the model's maximum is read: `cut` off, or in windows, of whose logits the "
        "`mean` or the `max` counts; unless given, as the training chose",
    )
    span: bool = Field(
        default=False, description="add `span` where a text was cut off: which of its characters the model read"
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="score from which a label holds, for all labels, where a text may have several; unless given, what "
        "the training chose for each label",
    )

    @model_serializer(mode="wrap")
    def _as_asked(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """An option that came later is left out at its default: what is not asked for changes no digest of a request,
        and a worker of before reads the record."""
        fields = type(self).model_fields
        return {
            name: value
            for name, value in dump(self).items()
            if name in OF_THE_FIRST_RELEASE or value != fields[name].default
        }


@lru_cache(KINDS_OF_OPTIONS)
def dump_options(options: Options) -> str:
    """Write the options as they lie in the job record."""
    return options.model_dump_json()


@lru_cache(KINDS_OF_OPTIONS)
def load_options(stored: str) -> Options:
    """Read the options that `dump_options` wrote. Raises ValidationError for any that this release does not know."""
    return Options.model_validate_json(stored)


@lru_cache(KINDS_OF_OPTIONS)
def known_options(stored: str) -> Options:
    """The options that this release knows, for showing a job that a newer one may have admitted.

    Raises ValueError for what is no JSON object.
    """
    found = json.loads(stored)
    if not isinstance(found, dict):
        raise ValueError("options are no object")
    return Options.model_validate({name: value for name, value in found.items() if name in Options.model_fields})


class Scored(Strict):
    label: str
    score: float = Field(ge=0, le=1)


Tokens = Annotated[int, Field(ge=2, description="tokens that the model read, [CLS] and [SEP] included, of all windows")]
Truncated = Annotated[bool, Field(description="whether a part of the text was cut off")]
Unknown = Annotated[
    float | None,
    Field(ge=0, le=1, description=f"share of the text that the vocabulary does not know, from {NOTABLE_UNKNOWN} on"),
]
Unfamiliar = Annotated[
    Literal[True] | None, Field(description="the text is unlike anything that the model has learnt from")
]
WindowCount = Annotated[int | None, Field(ge=2, description="windows that the text was read in, when more than one")]
Span = Annotated[
    list[Annotated[int, Field(ge=0)]] | None,
    Field(
        min_length=2,
        max_length=2,
        description="where the part of the text begins and ends that the model read, in characters (Unicode code "
        "points), when asked for and not all was read",
    ),
]
Top = Annotated[list[Scored] | None, Field(description="the `top_k` best labels, when more than one was asked")]
Scores = Annotated[dict[str, float] | None, Field(description="every label's score, when asked for")]


class Prediction(Strict):
    """The answer for one text, of a model that gives each text one label."""

    label: str = Field(description="the label with the highest score")
    score: float = Field(ge=0, le=1, description="calibrated probability of the label")
    review: Literal[True] | None = Field(
        default=None, description="a person should look: the score is below the model's `review_below`"
    )
    unfamiliar: Unfamiliar = None
    tokens: Tokens
    truncated: Truncated
    unknown: Unknown = None
    windows: WindowCount = None
    span: Span = None
    top: Top = None
    scores: Scores = None


class MultiLabelPrediction(Strict):
    """The answer for one text, of a model that gives a text any number of labels."""

    labels: list[Scored] = Field(description="the labels whose score reaches their threshold, best first; may be none")
    unfamiliar: Unfamiliar = None
    tokens: Tokens
    truncated: Truncated
    unknown: Unknown = None
    windows: WindowCount = None
    span: Span = None
    top: Top = None
    scores: Scores = None


class TextError(Strict):
    code: TextErrorCode
    detail: str


class Failed(Strict):
    """In the place of a prediction: this text could not be predicted, the others of its job were."""

    error: TextError


Answer = Prediction | MultiLabelPrediction | Failed


class ChunkResult(BaseModel):
    """What a worker commits for one chunk; lies in the job record as JSON without the keys that are None."""

    model_config = ConfigDict(frozen=True)

    version: str = Field(description="the model version that answered")
    predictions: Annotated[list[Answer], Field(description="one per text, in their order")]


@dataclass(frozen=True, kw_only=True)
class TextRead:
    """What the model read of a text."""

    tokens: int
    """Special ones included, those of all its windows together."""
    truncated: bool
    windows: int = 1
    unknown: float = 0.0
    """Share of the whole text's tokens that the vocabulary does not know."""
    span: tuple[int, int] | None = None
    """Where the part that was read begins and ends, in characters, if that is asked for and not all of the text."""

    @property
    def is_known(self) -> bool:
        """True when the vocabulary knows enough of the text."""
        return self.unknown < NOTABLE_UNKNOWN

    @property
    def is_usual(self) -> bool:
        """True when there is nothing to say of it beyond its tokens and whether it was cut."""
        return self.is_known and self.windows == 1 and self.span is None

    def members(self) -> dict[str, Any]:
        """Of the answer."""
        found: dict[str, Any] = {"tokens": self.tokens, "truncated": self.truncated}
        if not self.is_known:
            found["unknown"] = round(self.unknown, SHARE_DIGITS)
        if self.windows > 1:
            found["windows"] = self.windows
        if self.span is not None:
            found["span"] = list(self.span)
        return found


@dataclass(frozen=True, kw_only=True)
class AnswerRule:
    """How a model's scores become the answer for a text."""

    labels: tuple[str, ...]
    thresholds: tuple[float, ...] | None = None
    """The score from which each label holds; None when each text has exactly one label."""
    review_below: float = 0.0
    """A person should look at answers with a lower score, where each text has exactly one label."""
    unfamiliar_above: float | None = None
    """Texts that are further from what was learnt are unfamiliar; None where the model does not tell how far."""

    @classmethod
    def of(cls, manifest: Manifest) -> AnswerRule:
        below = manifest.review_below if manifest.activation == "softmax" else None
        return cls(
            labels=manifest.labels,
            thresholds=manifest.label_thresholds,
            review_below=below or 0.0,
            unfamiliar_above=manifest.unfamiliar_above,
        )

    def answer(
        self, probabilities: Sequence[float], options: Options, read: TextRead, *, unfamiliar: bool = False
    ) -> dict[str, Any]:
        """The answer, as a `Prediction` or a `MultiLabelPrediction` without the members that are None.

        probabilities: one per label, calibrated. On a tie the label that comes first in `labels` goes first.
        """
        scores = [round(probability, DIGITS) for probability in probabilities]
        marks = {"unfamiliar": True} if unfamiliar else {}
        found = {**self._chosen(probabilities, scores, options), **marks, **read.members()}
        if options.top_k > 1:
            order = sorted(range(len(scores)), key=probabilities.__getitem__, reverse=True)[: options.top_k]
            found["top"] = [self._scored(index, scores) for index in order]
        if options.scores:
            found["scores"] = dict(zip(self.labels, scores, strict=True))
        return found

    def chosen(self, probabilities: Sequence[float]) -> tuple[str, ...]:
        """The labels of the answer with no option: the best one, or all that reach their thresholds, best first."""
        found = self._chosen(probabilities, [round(each, DIGITS) for each in probabilities], Options())
        return tuple(one["label"] for one in found["labels"]) if "labels" in found else (found["label"],)

    def _chosen(self, probabilities: Sequence[float], scores: Sequence[float], options: Options) -> dict[str, Any]:
        """The best label, or those whose score as it is shown reaches their threshold, best first."""
        if self.thresholds is None:
            best = self._scored(max(range(len(scores)), key=probabilities.__getitem__), scores)
            return best | {"review": True} if best["score"] < self.review_below else best
        least = self.thresholds if options.threshold is None else [options.threshold] * len(scores)
        held = [index for index, score in enumerate(scores) if score >= least[index]]
        held.sort(key=probabilities.__getitem__, reverse=True)
        return {"labels": [self._scored(index, scores) for index in held]}

    def _scored(self, index: int, scores: Sequence[float]) -> dict[str, Any]:
        return {"label": self.labels[index], "score": scores[index]}
