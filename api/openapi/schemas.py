"""The documents of the API, as pydantic models: requests are validated with them, OpenAPI is generated from them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from api.settings import ApiSettings
from contract.artifact import Name
from contract.fleet import WorkerState
from contract.ids import ID_PATTERN
from contract.job_record import JobState
from contract.prediction import WHOLE, Answer, Options
from contract.webhook_hosts import MOST_CHARACTERS
from contract.windows import Windows

TEXTS_FIELDS = ("texts", "X", "x")
DEADLINE = "seconds from now; what is not predicted by then never will be"
NO_OPTIONS = Options()
"""What a job gets that asks for nothing in particular: most do."""


JobId = Annotated[str, Field(pattern=ID_PATTERN)]


def absent(description: str | None = None) -> Any:
    """A member that is left out where it does not apply, and is never null."""
    return Field(default_factory=lambda: None, description=description, exclude_if=lambda value: value is None)


class Document(BaseModel):
    """What the service answers: exactly these members."""

    model_config = ConfigDict(extra="forbid")


class Texts(BaseModel):
    """One of the three holds the texts."""

    texts: list[str] = Field(default_factory=list, min_length=1)
    X: list[str] = Field(default_factory=list, min_length=1)
    x: list[str] = Field(default_factory=list, min_length=1)


class PredictRequest(Options, Texts):
    """Texts to classify. One of `texts`, `X` and `x` holds them; they mean the same."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": [name]} for name in TEXTS_FIELDS]},
    )

    deadline_s: Annotated[int, Field(ge=1), WHOLE] | None = Field(default=None, description=DEADLINE)
    model: Name | None = Field(default=None, description="the model to ask; the service's default one when absent")
    webhook: str | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_CHARACTERS,
        description="address that is told of the job's end, by a signed POST; the API key's own when absent",
    )

    @model_validator(mode="after")
    def one_list(self) -> PredictRequest:
        if len(self.model_fields_set.intersection(TEXTS_FIELDS)) != 1:
            raise PydanticCustomError("one_of_texts", "give the texts in exactly one of `texts`, `X` and `x`")
        return self

    @property
    def texts_field(self) -> str:
        """Which of the three was given."""
        return next(name for name in TEXTS_FIELDS if name in self.model_fields_set)

    @property
    def given_texts(self) -> list[str]:
        return self.texts or self.X or self.x

    @property
    def options(self) -> Options:
        asked = self.model_fields_set.intersection(Options.model_fields)
        return Options(**{name: getattr(self, name) for name in asked}) if asked else NO_OPTIONS


def predict_request(settings: ApiSettings) -> type[PredictRequest]:
    """`PredictRequest` with the limits of these settings."""
    text = Annotated[str, Field(max_length=settings.max_text_chars)]
    fields: dict[str, Any] = {
        name: (list[text], Field(default_factory=list, min_length=1, max_length=settings.max_texts))
        for name in TEXTS_FIELDS
    }
    fields["deadline_s"] = deadline_field(settings)
    return create_model("PredictRequest", __base__=PredictRequest, __doc__=PredictRequest.__doc__, **fields)


def deadline_field(settings: ApiSettings) -> tuple[Any, Any]:
    """`deadline_s` of a request, with the limits of these settings."""
    within = Annotated[int, Field(ge=1, le=settings.max_deadline_s), WHOLE] | None
    return within, Field(default=settings.default_deadline_s, description=DEADLINE)


class JobModel(Document):
    """Which model answers."""

    name: Name
    version: Name | None = Field(description="the version that answered last; null before the first answer")


class Progress(Document):
    """How far the job is, in texts."""

    texts: int = Field(ge=1)
    done: int = Field(ge=0, description="answered, with a prediction or an error")
    errors: int = Field(ge=0, description="answered with an error")


class Timing(Document):
    """Seconds; null while it can't be said yet."""

    queued_s: float | None = Field(description="from admission until a worker took the first text")
    running_s: float | None = Field(description="from there to the end")
    total_s: float | None = Field(description="from admission to the end")


class Queue(Document):
    """Where an open job stands in its lane."""

    texts_ahead: int = Field(ge=0, description="texts that were admitted before it and still wait")
    seconds_left: float | None = Field(ge=0, description="estimated until its end; null while no rate is measured")


class Job(Document):
    """A job as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "agraghjif5r26stp65nsosajqrlre",
                "status": "succeeded",
                "model": {"name": "default", "version": "20261122t114937-ea19d4"},
                "progress": {"texts": 1, "done": 1, "errors": 0},
                "created": "2026-11-22T11:56:12.249Z",
                "deadline": "2026-11-22T12:56:12.249Z",
                "timing": {"queued_s": 0.003, "running_s": 0.013, "total_s": 0.016},
                "results": "/jobs/agraghjif5r26stp65nsosajqrlre/results",
                "predictions": [{"label": "git", "score": 0.915564, "tokens": 9, "truncated": False}],
            }
        }
    )

    id: JobId
    status: JobState
    model: JobModel
    progress: Progress
    created: datetime
    deadline: datetime
    timing: Timing
    results: str = Field(description="address of the results, which can be read while the job runs")
    queue: Queue = absent("only while the job is queued or running")
    predictions: list[Answer] = absent("one per text, in their order; once the job has ended, unless it was cancelled")


class JobList(Document):
    """A page of the caller's jobs, newest first."""

    jobs: list[Job] = Field(description="without their predictions")
    next: str | None = Field(description="address of the next page; null after the last job")


class Results(Document):
    """A page of results: the answers from text `from` on, without a gap, as far as they are there."""

    id: JobId
    status: JobState
    texts: int = Field(ge=1, description="texts of the whole job")
    first: int = Field(ge=0, alias="from", description="number of the first text, counted from 0")
    predictions: list[Answer]
    next: str | None = Field(description="address of the next page; null after the last text")


class VersionDocument(Document):
    """A published version of a model."""

    version: Name
    current: bool = Field(description="whether this is the version to serve")
    labels: list[str] = []
    other: str = absent("the label of texts that have none of the others; absent where the training had none such")
    thresholds: dict[str, float] = absent(
        "score from which each label holds; only of a model that gives a text any number of labels"
    )
    max_length: int | None = Field(default=None, description="tokens of a text at most")
    review_below: float = absent("answers with a lower score have `review`; absent where the training chose no bound")
    unfamiliar_above: float = absent(
        "texts that are further from what was learnt, 1 - cosine, have `unfamiliar`; absent where nothing tells it"
    )
    windows: Windows = absent("how texts longer than `max_length` are read; absent where they are cut off")
    metrics: dict[str, float] = Field(default={}, description="as measured by the training")
    created: datetime | None = None
    base_model: str | None = None
    workers: list[str] = Field(description="live workers that serve it")
    problem: str | None = Field(default=None, description="why its manifest can't be read")
    report: str | None = Field(default=None, description="address of its training report; null when it has none")


class ModelSummary(Document):
    """A model in a few words."""

    name: Name
    default: bool = Field(description="whether requests that name no model go to it")
    current: Name | None = Field(description="the version to serve; null when none is published")
    versions: list[Name] = Field(description="oldest first")
    workers: int = Field(ge=0, description="live workers that are ready for it")


class ModelList(Document):
    models: list[ModelSummary]


class ModelDocument(Document):
    """A model with all that its manifests say."""

    name: Name
    default: bool
    current: Name | None
    versions: list[VersionDocument] = Field(description="newest first")


class Live(Document):
    status: Literal["live", "not live"] = "live"
    reasons: list[str] = absent("why not")


class WorkerModel(Document):
    """What a worker says of one model."""

    model: Name
    state: WorkerState
    precision: str | None
    version: Name | None
    refused: dict[str, str] = Field(description="versions that it will not serve, and why")
    texts_per_s: float = Field(ge=0, description="what it gets through while it has work for the model")


class Worker(WorkerModel):
    """What a worker said of itself with its last heartbeat. What it says of a model at the top is of its first one."""

    id: str
    device: str
    models: list[WorkerModel] = Field(description="every model that it serves or is to serve")
    complaint: str | None = Field(description="why it may not know the newest models, where they are in a bucket")


class Ready(Document):
    """Whether a text would be answered now."""

    status: Literal["ready", "not ready"]
    reasons: list[str] = Field(description="why not")
    warnings: list[str] = absent("what is wrong and keeps no text from being answered; only when something is")
    workers: list[Worker]


class ReportLink(Document):
    """An address that opens a training report without a key."""

    address: str
    expires_s: int = Field(ge=1, description="seconds until it opens nothing any more")


class FaultDocument(Document):
    """One thing that is wrong; says where in the body (`pointer`, RFC 6901), or which parameter or header."""

    pointer: str = absent()
    parameter: str = absent()
    header: str = absent()
    detail: str


class ProblemDocument(Document):
    """Problem details (RFC 9457)."""

    type: str = Field(description="link to the page that explains problems of this type")
    title: str
    status: int
    detail: str
    request_id: str = Field(description="the service's log carries it too")
    errors: list[FaultDocument] = absent("what exactly is wrong, where that can be said")
