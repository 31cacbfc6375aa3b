"""What the service sends by itself: the webhook of a job's end, in the OpenAPI document."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.openapi.operation import JSON
from api.openapi.schemas import Document, JobId, JobModel, Progress

_HEADERS = {
    "webhook-id": "of the event: the same whenever it comes again",
    "webhook-timestamp": "when it was sent, in Unix seconds",
    "webhook-signature": "one signature for each secret of the API key, with spaces between them",
}


class EndedJob(Document):
    """A job that has ended."""

    id: JobId
    status: Literal["succeeded", "failed", "cancelled", "expired"]
    model: JobModel
    progress: Progress
    results: str = Field(description="path of its results")


class JobEnded(Document):
    """What is sent to a webhook, after Standard Webhooks."""

    type: Literal["job.succeeded", "job.failed", "job.cancelled", "job.expired"]
    timestamp: datetime = Field(description="when the job ended")
    data: EndedJob


def webhooks(reference: dict[str, str]) -> dict[str, Any]:
    """The member `webhooks` of the document; `reference` leads to the schema of JobEnded."""
    headers = [
        {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in _HEADERS.items()
    ]
    described = {
        "operationId": "job_ended",
        "summary": "A job has ended",
        "description": "Sent to the `webhook` of the request, or of its API key, until it is answered with 2xx, for a "
        "day. It may come more than once.",
        "tags": ["jobs"],
        "parameters": headers,
        "requestBody": {"required": True, "content": {JSON: {"schema": reference}}},
        "responses": {
            "2XX": {"description": "It has arrived"},
            "410": {"description": "Nothing is to be sent to this address any more"},
        },
    }
    return {"job_ended": {"post": described}}
