"""What crosses processes and what lies on the volume, held to committed documents.

A change that breaks one of these breaks a rolling upgrade: raise the schema version, and teach readers both.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from contract import message
from contract.artifact import Manifest
from contract.fleet import WorkerStatus
from contract.message import Ticket
from contract.prediction import ChunkResult, Options
from worker.pipeline.answers import chunk_result, prediction, text_error

GOLDEN = Path(__file__).parents[1] / "golden"
JOB = "agrafvn6oxpzjapeylfsmrpmbv4oo"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "model"), [("manifest", Manifest), ("worker_status", WorkerStatus), ("chunk_result", ChunkResult)]
)
def test_a_document_is_read_and_written_without_loss(name: str, model: type[BaseModel]) -> None:
    document = model.model_validate_json(golden(name))
    assert document.model_dump(mode="json", exclude_none=True) == json.loads(golden(name))


def test_a_message_carries_tickets() -> None:
    tickets = [Ticket(JOB, 0), Ticket(JOB, 312)]
    assert message.pack(tickets) == json.loads(golden("message"))
    assert message.unpack(json.loads(golden("message"))) == tickets


def test_a_message_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        message.unpack({"schema": 2, "tickets": []})


def test_the_worker_writes_the_chunk_result() -> None:
    labels, row = ["sql", "java"], np.array([0.25, 0.75], np.float32)
    answers = [
        prediction(row, labels, Options(), tokens=11, truncated=False),
        prediction(row, labels, Options(top_k=2, scores=True), tokens=11, truncated=True),
        text_error("empty-text", "the text is empty"),
    ]
    written = chunk_result("20261122t101500-3f2a9c", answers)
    assert written == json.dumps(json.loads(golden("chunk_result")), separators=(",", ":"))  # members in their order
