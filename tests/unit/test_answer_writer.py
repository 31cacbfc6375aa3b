"""The thread that makes answers of what was computed, beside the one that computes."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest

from harness.until import until
from tests.inference_rig import PATIENCE_S, Rig, expected, running, scores
from tests.stand_ins import EchoModel, chunk_work
from worker.engine.packing import BatchPlan
from worker.pipeline import answer_writer, answers
from worker.pipeline.answer_writer import BEHIND
from worker.pipeline.work import ChunkWork


def add_batches(rig: Rig, model: EchoModel, count: int) -> list[ChunkWork]:
    """Chunks that are a batch each, as they wait in a worker that is busy."""
    return [rig.add(chunk_work(model, 1, job=f"j{number}"), [[number + 5] * 50]) for number in range(count)]


def test_a_batch_is_answered_while_the_device_computes_the_next_one() -> None:
    model, rig, answered = EchoModel(batch_tokens=64), Rig(), Event()

    def hold_the_second(_: BatchPlan) -> None:
        assert len(model.batches) == 1 or answered.wait(PATIENCE_S)

    model.fault = hold_the_second
    first, second = add_batches(rig, model, 2)
    with running(rig):
        assert rig.next() is first
        assert second.answers == [""]
        answered.set()
        assert rig.next() is second


def test_the_device_waits_when_answers_are_too_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    model, rig, go_on = EchoModel(batch_tokens=64), Rig(), Event()
    write = answers.predictions

    def slowly(*given: Any) -> Sequence[str]:
        assert go_on.wait(PATIENCE_S)
        return write(*given)

    monkeypatch.setattr(answer_writer, "predictions", slowly)
    works = add_batches(rig, model, 3 * BEHIND)
    with running(rig):
        # One is being written, BEHIND wait for that, and the next can't be handed on.
        until(lambda: len(model.batches) == BEHIND + 2, PATIENCE_S, what="the device's last batch")
        assert rig.completed.empty()
        go_on.set()
        assert [rig.next() for _ in works] == works
    assert [scores(work) for work in works] == [expected([[number + 5] * 50]) for number in range(len(works))]


def test_what_was_computed_is_answered_before_the_end() -> None:
    model, rig = EchoModel(batch_tokens=64), Rig()
    works = add_batches(rig, model, 2 * BEHIND)
    with running(rig):
        until(lambda: len(model.batches) >= BEHIND, PATIENCE_S, what="some batches")
    computed = len(model.batches)
    assert [work.answers != [""] for work in works] == [number < computed for number in range(len(works))]
