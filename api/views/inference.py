"""POST /v2/models/<name>/infer, with and without a version: what POST /predict does, in the Open Inference Protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from flask import Blueprint, Response, request

from api.context import AppContext
from api.http import body, tensors
from api.http.body_budget import BodyShare
from api.http.prefer import patience
from api.http.problems import FieldError, Problem, invalid
from api.jobs.reader import has_ended
from api.jobs.results import Row, refuse_cancelled, rows
from api.openapi.inference_schemas import InferInput, InferRequest, infer_request, most_texts
from api.views import admission, inference_models
from api.views.admission import Question
from api.views.inference_outputs import AnswerTable
from contract.job_record import JobStatus, Snapshot
from contract.prediction import Options

EXAMPLE = '{"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["how do I undo my last commit"]}]}'
DATA = "/inputs/0/data"
OF_SCORES = frozenset({"scores", "classes"})
"""Outputs that are made of every label's score."""


@dataclass(frozen=True, kw_only=True)
class AnswerWish:
    """How a request wants its answer."""

    id: str | None
    version: str | None
    outputs: Sequence[str]
    """Names; none for the usual ones."""
    binary: Sequence[bool]
    """Of each of these outputs, whether it goes as bytes behind the JSON."""
    otherwise_binary: bool
    """The same of outputs that were not named."""
    options: Options


def inference_views(context: AppContext) -> Blueprint:
    views = Blueprint("inference", __name__)
    model = infer_request(context.settings)

    def infer(name: str, version: str | None) -> Response:
        tensors.check_type(request)
        inference_models.refuse_unserved(context, name, version)
        willing = patience(request, context.settings, context.settings.default_wait_s)

        def read(share: BodyShare) -> tuple[Question, AnswerWish]:
            asked, texts = _read(model, share, context)
            wish = _wish(asked, version)
            deadline_s = asked.parameters.deadline_s or context.settings.default_deadline_s
            question = Question(texts=texts, texts_at=DATA, options=wish.options, model=name, deadline_s=deadline_s)
            return question, wish

        found = admission.answered(read, willing, context)
        if not has_ended(found.job):
            raise _not_in_time(found.job.status, willing.wait_s)
        answer = _answer(found.job, found.wish, context)
        answer.headers.update(willing.headers)
        if found.replayed:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    @views.post("/v2/models/<name>/infer")
    def infer_any(name: str) -> Response:
        return infer(name, None)

    @views.post("/v2/models/<name>/versions/<version>/infer")
    def infer_version(name: str, version: str) -> Response:
        return infer(name, version)

    return views


def _read(model: type[InferRequest], share: BodyShare, context: AppContext) -> tuple[InferRequest, list[str]]:
    """The request, and its texts from wherever they stand. Raises Problem."""
    message = body.received(request, share)
    length = tensors.json_length(request, len(message))
    most = most_texts(context.settings)
    asked = body.validated(message[:length], model, EXAMPLE, most_strings=most, most_parts=body.MOST_PARTS + most)
    [texts] = asked.inputs
    if (size := texts.parameters.binary_data_size) is None:
        found, behind = texts.data, 0
    else:
        found, behind = _behind(texts, message[length:], context), size
    if behind != len(message) - length:
        raise invalid(
            FieldError("pointer", "/inputs", f"{len(message) - length} bytes follow the JSON, and {behind} are told of")
        )
    if len(found) != prod(texts.shape):
        raise invalid(FieldError("pointer", "/inputs/0/shape", f"is of {prod(texts.shape)} texts; {len(found)} came"))
    return asked, found


def _behind(asked: InferInput, data: bytearray, context: AppContext) -> list[str]:
    """The texts behind the JSON, under the same limits as those inside it."""
    if asked.data:
        raise invalid(FieldError("pointer", DATA, "with `binary_data_size` the data are behind the JSON, and not here"))
    most, longest = most_texts(context.settings), context.settings.max_text_chars
    if prod(asked.shape) > most:
        raise invalid(FieldError("pointer", "/inputs/0/shape", f"{most} texts at most; POST /predict takes more"))
    found = tensors.texts(data, DATA)
    for number, text in enumerate(found):
        if len(text) > longest:
            raise invalid(FieldError("pointer", f"{DATA}/{number}", f"{longest} characters at most"))
    return found


def _wish(asked: InferRequest, version: str | None) -> AnswerWish:
    names = [output.name for output in asked.outputs]
    options = asked.parameters.options
    if OF_SCORES.intersection(names):
        options = options.model_copy(update={"scores": True})
    given = asked.parameters.binary_data_output
    binary = [given if (own := output.parameters.binary_data) is None else own for output in asked.outputs]
    return AnswerWish(
        id=asked.id, version=version, outputs=names, binary=binary, otherwise_binary=given, options=options
    )


def _not_in_time(status: JobStatus, waited_s: float) -> Problem:
    address = f"/jobs/{status.id}"
    detail = f"job {status.id} has not ended after {waited_s:g} s; its answers will be at {address}/results"
    return Problem("not-in-time", detail, headers={"Location": address})


def _answer(job: Snapshot, wish: AnswerWish, context: AppContext) -> Response:
    status = job.status
    refuse_cancelled(status)
    if wish.version and status.version and status.version != wish.version:
        raise inference_models.other_version(status.model, wish.version, status.version)
    table = _table(job, wish, context)
    found = table.tensors(wish.outputs)
    binary = wish.binary or [wish.otherwise_binary] * len(found)
    outputs, behind = tensors.documents(found, binary)
    document: dict[str, Any] = {"model_name": status.model}
    if status.version:
        document["model_version"] = status.version
    if wish.id is not None:
        document["id"] = wish.id
    text = json.dumps(document | {"parameters": {"job": status.id}, "outputs": outputs}).encode()
    answer = Response(text + behind, mimetype=tensors.BINARY if any(binary) else tensors.JSON)
    if any(binary):
        answer.headers[tensors.HEADER] = str(len(text))
    return answer


def _table(job: Snapshot, wish: AnswerWish, context: AppContext) -> AnswerTable:
    """The job's answers, with what they or the model's manifest tell of its labels."""
    status = job.status
    if status.chunks > 1:
        job = context.reader.read(status.ref, range(status.chunks))
    found = [row for chunk in job.chunks for row in rows(chunk, status)]
    predicted = next((row for row in found if "error" not in row), None)
    return AnswerTable(
        rows=found,
        classes=_classes(predicted, status, context),
        multi_label=context.is_multi_label(status) if predicted is None else "labels" in predicted,
        options=wish.options,
    )


def _classes(predicted: Row | None, status: JobStatus, context: AppContext) -> Sequence[str]:
    if predicted is not None and "scores" in predicted:
        return list(predicted["scores"])
    manifest = context.manifest(status.model, status.version)
    return manifest.labels if manifest else ()
