"""What crosses processes and what lies on the volume, held to committed documents.

A change that breaks one of these breaks a rolling upgrade: raise the schema version, and teach readers both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contract import message
from contract.artifact import Manifest
from contract.fleet import WorkerState, WorkerStatus
from contract.message import Ticket
from contract.prediction import AnswerRule, ChunkResult, Options, TextRead
from contract.stored_result import answers, chunk_result, text_error
from worker.pipeline.answers import predictions

GOLDEN = Path(__file__).parents[1] / "golden"
JOB = "agrafvn6oxpzjapeylfsmrpmbv4oo"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "model"), [("manifest", Manifest), ("worker_status_models", WorkerStatus), ("chunk_result", ChunkResult)]
)
def test_a_document_is_read_and_written_without_loss(name: str, model: type[BaseModel]) -> None:
    document = model.model_validate_json(golden(name))
    assert document.model_dump(mode="json", exclude_none=True) == json.loads(golden(name))


def test_a_heartbeat_of_a_worker_with_one_model_is_read_as_one_of_that_model() -> None:
    status = WorkerStatus.model_validate_json(golden("worker_status"))
    [only] = status.models
    assert (only.model, only.version, only.texts_per_s) == ("default", "20261122t101500-3f2a9c", 250.0)
    assert only.refused == status.refused != {}
    assert status.would_serve("default")
    assert not status.would_serve("tickets")


def test_a_reader_that_knows_of_one_model_a_worker_reads_the_first_one() -> None:
    class StatusOf010(BaseModel):
        """What 0.1.0 reads; unknown members are ignored."""

        schema_version: int
        id: str
        host: str
        pid: int
        state: WorkerState
        device: str
        precision: str | None = None
        model: str
        version: str | None = None
        refused: dict[str, str] = {}
        texts_per_s: float = 0.0
        bytes_per_s: float = 0.0

    old = StatusOf010.model_validate_json(golden("worker_status_models"))
    new = WorkerStatus.model_validate_json(golden("worker_status_models"))
    assert (old.model, old.state, old.version) == ("default", WorkerState.READY, "20261122t101500-3f2a9c")
    assert [each.model for each in new.models] == ["default", "tickets"]
    assert new.would_serve("whatever appears on the volume")


@dataclass(frozen=True)
class Text:
    options: Options
    read: TextRead


def test_a_message_carries_tickets() -> None:
    tickets = [Ticket(JOB, 0), Ticket(JOB, 312)]
    assert message.pack(tickets) == json.loads(golden("message"))
    assert message.unpack(json.loads(golden("message"))) == tickets


def test_a_message_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        message.unpack({"schema": 2, "tickets": []})


def test_the_worker_writes_the_chunk_result() -> None:
    rows = np.array([[0.25, 0.75]] * 2, np.float32)
    texts = [
        Text(Options(), TextRead(tokens=11, truncated=False)),
        Text(Options(top_k=2, scores=True), TextRead(tokens=11, truncated=True)),
    ]
    parts = [
        *predictions(rows, AnswerRule(labels=("sql", "java")), texts),
        text_error("empty-text", "the text is empty"),
    ]
    written = chunk_result("20261122t101500-3f2a9c", parts)
    assert written == json.dumps(json.loads(golden("chunk_result")), separators=(",", ":"))  # members in their order
    expected = json.loads(golden("chunk_result"))["predictions"]
    assert [answers(written, n, n + 1) for n in range(3)] == [[each] for each in expected]


@given(
    st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.booleans(), st.floats(0, 1)), min_size=1, max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_answers_of_a_batch_are_the_bytes_that_json_writes_of_each_alone(
    asked: list[tuple[int, bool, bool, float]], seed: int
) -> None:
    labels = ('say "hi"', "naïve", "back\\slash", "")
    rows = np.random.default_rng(seed).dirichlet([0.3] * len(labels), len(asked)).astype(np.float32)
    texts = [
        Text(Options(top_k=top, scores=scores), TextRead(tokens=11, truncated=cut, unknown=unknown))
        for top, scores, cut, unknown in asked
    ]
    for rule in (AnswerRule(labels=labels), AnswerRule(labels=labels, thresholds=(0.0, 0.1, 0.5, 0.9))):
        for row, text, written in zip(rows, texts, predictions(rows, rule, texts), strict=True):
            expected = rule.answer(row.tolist(), text.options, text.read)
            assert written == json.dumps(expected, ensure_ascii=False, separators=(",", ":"))
