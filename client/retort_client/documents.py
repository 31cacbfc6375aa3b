"""What the service answers, as dataclasses. Members that this release does not know are passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scored:
    """A label and its probability, 0 to 1."""

    label: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """The answer for one text, of a model that gives each text one label."""

    label: str
    """The label with the highest score."""
    score: float
    review: bool = False
    """Whether a person should look: the score is below what the model is sure from."""
    unfamiliar: bool = False
    """Whether the text is unlike anything that the model has learnt from."""
    tokens: int
    """Tokens that the model read."""
    truncated: bool
    """Whether a part of the text was cut off."""
    unknown: float | None = None
    """Share of the text that the model's vocabulary does not know, where it is notable."""
    windows: int = 1
    """Windows that the text was read in."""
    span: tuple[int, int] | None = None
    """Which characters of the text the model read, when asked for and not all: `text[begin:end]` for `begin, end`."""
    top: tuple[Scored, ...] = ()
    """The best labels, when `top_k` asked for more than one."""
    scores: Mapping[str, float] | None = None
    """Every label's score, when asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MultiLabelPrediction:
    """The answer for one text, of a model that gives a text any number of labels."""

    labels: tuple[Scored, ...]
    """Those whose score reaches their threshold, best first; may be none."""
    unfamiliar: bool = False
    tokens: int
    truncated: bool
    unknown: float | None = None
    windows: int = 1
    span: tuple[int, int] | None = None
    top: tuple[Scored, ...] = ()
    scores: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class TextError:
    """In the place of a prediction: this text could not be predicted. docs/client.md lists the codes."""

    code: str
    detail: str


Answer = Prediction | MultiLabelPrediction | TextError


@dataclass(frozen=True, kw_only=True, slots=True)
class JobStatus:
    """A job as it stands. Times that can't be told yet are None."""

    id: str
    state: State
    model: str
    version: str | None
    """The version of the model that answered last."""
    texts: int
    done: int
    """Texts that have an answer, be it an error."""
    errors: int
    created: datetime
    deadline: datetime
    queued_s: float | None
    """Seconds from admission until a worker took the first text."""
    running_s: float | None
    total_s: float | None
    texts_ahead: int | None
    """Texts that wait before it, while it is open."""
    seconds_left: float | None
    """Estimated until its end, while it is open and a rate is measured."""

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "running")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelVersion:
    """A published version of a model."""

    version: str
    current: bool
    labels: tuple[str, ...]
    thresholds: Mapping[str, float] | None
    """The score from which each label holds; None when each text has exactly one label."""
    other: str | None
    """The label of texts that have none of the others, if there is one."""
    review_below: float | None
    """Answers with a lower score have `review`; None where there is no bound."""
    unfamiliar_above: float | None
    """Texts that are further from what was learnt have `unfamiliar`; None where nothing tells it."""
    max_length: int | None
    """Tokens of a text at most."""
    windows: Mapping[str, Any] | None
    """How longer texts are read: `pooling`, `length` and `stride`; None where they are cut off."""
    metrics: Mapping[str, float]
    created: datetime | None
    base_model: str | None
    workers: tuple[str, ...]
    """Live workers that serve it."""
    problem: str | None
    """Why its manifest can't be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model; requests that name none go to the `default` one."""

    name: str
    default: bool
    current: str | None
    """The version to serve; None when none is published."""
    versions: tuple[str, ...]
    """Oldest first."""
    workers: int
    """Live workers that are ready for it."""


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of a job's answers, from text `start` on."""

    start: int
    answers: tuple[Answer, ...]
    next: int | None
    """Where the following page starts; None after the last text."""


def answer(document: Document) -> Answer:
    if error := document.get("error"):
        return TextError(error["code"], error["detail"])
    shared: dict[str, Any] = {
        "tokens": document["tokens"],
        "truncated": document["truncated"],
        "unfamiliar": document.get("unfamiliar", False),
        "unknown": document.get("unknown"),
        "windows": document.get("windows", 1),
        "span": tuple(document["span"]) if "span" in document else None,
        "top": _scored(document.get("top", ())),
        "scores": document.get("scores"),
    }
    if "labels" in document:
        return MultiLabelPrediction(labels=_scored(document["labels"]), **shared)
    review = document.get("review", False)
    return Prediction(label=document["label"], score=document["score"], review=review, **shared)


def _scored(found: Iterable[Document]) -> tuple[Scored, ...]:
    return tuple(Scored(one["label"], one["score"]) for one in found)


def job_status(document: Document) -> JobStatus:
    progress, timing, queue = document["progress"], document["timing"], document.get("queue", {})
    return JobStatus(
        id=document["id"],
        state=document["status"],
        model=document["model"]["name"],
        version=document["model"]["version"],
        texts=progress["texts"],
        done=progress["done"],
        errors=progress["errors"],
        created=datetime.fromisoformat(document["created"]),
        deadline=datetime.fromisoformat(document["deadline"]),
        queued_s=timing["queued_s"],
        running_s=timing["running_s"],
        total_s=timing["total_s"],
        texts_ahead=queue.get("texts_ahead"),
        seconds_left=queue.get("seconds_left"),
    )


def page(document: Document) -> Page:
    answers = tuple(answer(one) for one in document["predictions"])
    start = document["from"]
    return Page(start, answers, None if document["next"] is None else start + len(answers))


def models(document: Document) -> list[Model]:
    return [
        Model(
            name=one["name"],
            default=one["default"],
            current=one["current"],
            versions=tuple(one["versions"]),
            workers=one["workers"],
        )
        for one in document["models"]
    ]


def model_versions(document: Document) -> list[ModelVersion]:
    return [
        ModelVersion(
            version=one["version"],
            current=one["current"],
            labels=tuple(one["labels"]),
            thresholds=one.get("thresholds"),
            other=one.get("other"),
            review_below=one.get("review_below"),
            unfamiliar_above=one.get("unfamiliar_above"),
            max_length=one["max_length"],
            windows=one.get("windows"),
            metrics=one["metrics"],
            created=datetime.fromisoformat(one["created"]) if one["created"] else None,
            base_model=one["base_model"],
            workers=tuple(one["workers"]),
            problem=one["problem"],
        )
        for one in document["versions"]
    ]
