"""Python client of Retort.

with Client("http://127.0.0.1:8000") as client:
    print(client.predict(["how do I undo my last commit"])[0].label)
"""

from __future__ import annotations

from retort_client.async_client import AsyncClient, AsyncJob
from retort_client.client import Client, Job
from retort_client.documents import (
    Answer,
    JobStatus,
    Model,
    ModelVersion,
    MultiLabelPrediction,
    Prediction,
    Scored,
    TextError,
)
from retort_client.errors import (
    BadRequest,
    Busy,
    Gone,
    IdempotencyConflict,
    JobCancelled,
    NotFound,
    ProblemError,
    RetortError,
    ServiceFailed,
    TimedOut,
    Unauthorized,
    UnexpectedReply,
    Unreachable,
)
from retort_client.problem import Fault, Problem

__all__ = [
    "Answer",
    "AsyncClient",
    "AsyncJob",
    "BadRequest",
    "Busy",
    "Client",
    "Fault",
    "Gone",
    "IdempotencyConflict",
    "Job",
    "JobCancelled",
    "JobStatus",
    "Model",
    "ModelVersion",
    "MultiLabelPrediction",
    "NotFound",
    "Prediction",
    "Problem",
    "ProblemError",
    "RetortError",
    "Scored",
    "ServiceFailed",
    "TextError",
    "TimedOut",
    "Unauthorized",
    "UnexpectedReply",
    "Unreachable",
]
