"""Every operation of the API in words: what api/openapi/document.py turns into the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from api.openapi import inference_operations, page_operations, schemas
from api.openapi.operation import JSON, Operation, Parameter, ResponseSpec
from api.settings import ApiSettings
from contract.ids import ID_PATTERN

_JOB = Parameter(
    name="job_id", where="path", description="the job's id", schema={"type": "string", "pattern": ID_PATTERN}
)
_RETRY = {"Retry-After": "seconds after which asking again makes sense; only while the job is queued or running"}
_APPLIED = {"Preference-Applied": "the preferences that were followed"}
_REPLAYED = {"Idempotency-Replayed": "`true` when an earlier request had made the job"}
_ACCEPTED = {"Location": "address of the job"}
_PREFER = Parameter(
    name="Prefer",
    where="header",
    description="`wait=N`: wait up to N seconds for the job's end; `respond-async`: don't wait (RFC 7240)",
    schema={"type": "string", "examples": ["wait=5", "respond-async"]},
)
_RESULTS: Mapping[str, type[BaseModel] | Mapping[str, Any]] = {
    JSON: schemas.Results,
    "application/x-ndjson": {"type": "string", "description": "a line per text: `index` and its answer"},
    "text/csv": {
        "type": "string",
        "description": "index, label, score, tokens, truncated, error, detail; top and scores as JSON when asked for; "
        "labels as JSON in place of label and score where the model gives a text any number of labels",
    },
}
_ABSENT = ["unknown-job", "gone-job", "store-unavailable"]
_WHOLE = {"type": "integer", "minimum": 0}
_EXAMPLES = {
    "texts": {"value": {"texts": ["Why does my code keep throwing me null pointer exception?"]}},
    "options": {"value": {"texts": ["I wrote a loop that i cannot exit", "How do I merge two dicts?"], "top_k": 3}},
}


def _wait(settings: ApiSettings, otherwise: str) -> Parameter:
    text = f"seconds to wait, {settings.max_wait_s:g} at most; {otherwise} when absent; goes before `Prefer`"
    return Parameter(name="wait", where="query", description=text, schema={"type": "number", "minimum": 0})


def operations(settings: ApiSettings) -> list[Operation]:
    """Every operation, with the limits of these settings."""
    asking = [_wait(settings, f"{settings.default_wait_s:g}"), _PREFER, _idempotency(settings)]
    return [
        _predict(settings, asking), *_jobs(settings), *_models(), *page_operations.operations(), *_health(),
        *inference_operations.operations(settings, asking),
    ]  # fmt: skip


def _idempotency(settings: ApiSettings) -> Parameter:
    return Parameter(
        name="Idempotency-Key",
        where="header",
        description=f"the same key with the same request gives the same job, for {settings.idempotency_ttl_s} s",
        schema={"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    )


def _predict(settings: ApiSettings, asking: Sequence[Parameter]) -> Operation:
    return Operation(
        method="post",
        path="/predict",
        name="predict",
        tag="predict",
        summary="Classify texts",
        description=f"Waits for the answer, {settings.default_wait_s:g} s unless told otherwise, and answers 200 with "
        "it. When that is not long enough, or the client does not want to wait, 202 says where the job is. A job "
        f"of {settings.bulk_from_texts} texts or more goes through the bulk lane and never delays short ones. "
        "A text that can't be predicted has an error in its place; all others have their answer.",
        parameters=asking,
        body=schemas.predict_request(settings),
        examples=_EXAMPLES,
        answers=[
            ResponseSpec(
                status=200,
                description="The job has ended; `status` says how",
                content={JSON: schemas.Job},
                headers=_APPLIED | _REPLAYED,
            ),
            ResponseSpec(
                status=202,
                description="The job is accepted",
                content={JSON: schemas.Job},
                headers=_ACCEPTED | _APPLIED | _REPLAYED | _RETRY,
            ),
        ],
        problems=[
            "invalid-json", "gone-job", "too-large", "unsupported-media-type", "invalid-request",
            "idempotency-conflict", "backlog-full", "store-unavailable",
        ],
    )  # fmt: skip


def _jobs(settings: ApiSettings) -> list[Operation]:
    return [_recent_jobs(), _job(settings), _removal(), _results(settings)]


def _recent_jobs() -> Operation:
    listed = {"type": "integer", "minimum": 1, "maximum": 100}
    return Operation(
        method="get",
        path="/jobs",
        name="jobs",
        tag="jobs",
        summary="The caller's recent jobs",
        description="Newest first, without their predictions: the last 1,000 that this API key made, as long as "
        "they are kept. Where no keys are set, those of everybody.",
        parameters=[
            Parameter(name="from", where="query", description="how many of the newest to leave out", schema=_WHOLE),
            Parameter(name="limit", where="query", description="jobs of a page at most", schema=listed),
        ],
        answers=[ResponseSpec(status=200, description="The jobs", content={JSON: schemas.JobList})],
        problems=["store-unavailable", "invalid-request"],
    )


def _job(settings: ApiSettings) -> Operation:
    return Operation(
        method="get",
        path="/jobs/{job_id}",
        name="job",
        tag="jobs",
        summary="A job as it stands",
        description="With `wait`, answers when the job ends, or as it stands after so many seconds.",
        parameters=[_JOB, _wait(settings, "0"), _PREFER],
        answers=[
            ResponseSpec(status=200, description="The job", content={JSON: schemas.Job}, headers=_RETRY | _APPLIED)
        ],
        problems=[*_ABSENT, "invalid-request"],
    )


def _removal() -> Operation:
    return Operation(
        method="delete",
        path="/jobs/{job_id}",
        name="remove_job",
        tag="jobs",
        summary="Cancel or delete a job",
        description="A job that has not ended is cancelled: what has not run never will, and its texts and results "
        "are deleted; it can still be seen as cancelled. A job that has ended is deleted.",
        parameters=[_JOB],
        answers=[ResponseSpec(status=204, description="Done")],
        problems=_ABSENT,
    )


def _results(settings: ApiSettings) -> Operation:
    limit = {"type": "integer", "minimum": 1, "maximum": settings.page_texts}
    return Operation(
        method="get",
        path="/jobs/{job_id}/results",
        name="results",
        tag="jobs",
        summary="Results, while the job runs",
        description="As JSON a page; `next` leads to the following one, and `wait` waits for the page's first "
        "answer. As NDJSON or CSV, by `Accept`, all that is left from `from` on, each line as soon as it is there, "
        "until the last text, or until `wait` seconds have passed.",
        parameters=[
            _JOB,
            Parameter(
                name="from", where="query", description="number of the first text, counted from 0", schema=_WHOLE
            ),
            Parameter(name="limit", where="query", description="texts of a page at most", schema=limit),
            _wait(settings, "0 for a page, the job's whole life for a stream"),
            _PREFER,
        ],
        answers=[
            ResponseSpec(
                status=200,
                description="Results in the order of the texts",
                content=_RESULTS,
                headers=_RETRY | _APPLIED,
            )
        ],
        problems=[*_ABSENT, "not-acceptable", "invalid-request"],
    )


def _models() -> list[Operation]:
    name = Parameter(name="name", where="path", description="the model's name", schema={"type": "string"})
    return [
        Operation(
            method="get",
            path="/models",
            name="models",
            tag="models",
            summary="Models that are published or served",
            description="Which there are, which version of each is current, and how many workers serve it.",
            answers=[ResponseSpec(status=200, description="The models", content={JSON: schemas.ModelList})],
        ),
        Operation(
            method="get",
            path="/models/{name}",
            name="model",
            tag="models",
            summary="A model with its versions",
            description="Labels, metrics and origin of each version, and which workers serve it.",
            parameters=[name],
            answers=[ResponseSpec(status=200, description="The model", content={JSON: schemas.ModelDocument})],
            problems=["not-found", "no-model"],
        ),
    ]


def _health() -> list[Operation]:
    return [
        Operation(
            method="get",
            path="/health/live",
            name="live",
            tag="health",
            summary="Whether the process answers",
            description="Asks nobody else; for restarting a process that hangs, or lost a thread it can't do without.",
            answers=[
                ResponseSpec(status=200, description="It does", content={JSON: schemas.Live}),
                ResponseSpec(status=503, description="It does not, and why", content={JSON: schemas.Live}),
            ],
            needs_key=False,
        ),
        Operation(
            method="get",
            path="/health/ready",
            name="ready",
            tag="health",
            summary="Whether a text would be answered now",
            description="Redis answers, and a worker is ready for the default model. Says why not.",
            answers=[
                ResponseSpec(status=200, description="Ready", content={JSON: schemas.Ready}),
                ResponseSpec(status=503, description="Not ready, and why", content={JSON: schemas.Ready}),
            ],
            needs_key=False,
        ),
    ]
