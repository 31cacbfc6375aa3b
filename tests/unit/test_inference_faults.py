"""The inference thread when texts are poisonous, memory is short or the device is broken."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from queue import SimpleQueue

import numpy as np
import pytest
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from tests.inference_rig import PATIENCE_S, OutOfMemory, Rig, expected, running, scores
from tests.stand_ins import LAST, POISON, EchoModel, chunk_work, echo, echo_logits, ids_of, text_works
from worker import loops
from worker.engine.packing import BatchPlan
from worker.pipeline.token_budget import CAREFUL_SHARE, CAREFUL_TEXTS, LEAST_TOKENS


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[str]:
    """Why the process would have ended itself."""
    why: SimpleQueue[str] = SimpleQueue()
    monkeypatch.setattr(loops, "end_process", why.put)
    return why


def why_it_ended(rig: Rig, ended: SimpleQueue[str]) -> str:
    why = ended.get(timeout=PATIENCE_S)
    rig.inference.stop(PATIENCE_S)
    return why


@pytest.mark.parametrize("places", [[0], [99], [3, 4], [0, 50, 99]])
def test_a_poisonous_text_alone_gets_the_error(places: list[int]) -> None:
    texts = [[POISON] if place in places else [place + 3] * (place % 20) for place in range(100)]
    rig, model = Rig(), EchoModel()
    with running(rig):
        rig.add(chunk_work(model, len(texts)), texts)
        work = rig.next()
    assert scores(work) == expected(texts)
    assert work.errors == len(places)


def test_a_probability_that_is_not_a_number_is_an_error_of_its_text(caplog: pytest.LogCaptureFixture) -> None:
    class Overflowing(EchoModel):
        def run(self, texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> NDArray[np.float32]:
            rows = super().run(texts, plan)
            rows[[9 in texts[index] for index in plan.texts]] = np.nan
            return rows

    rig = Rig()
    with running(rig):
        rig.add(chunk_work(Overflowing(), 3), [[5], [9], [6]])
        work = rig.next()
    assert scores(work) == [*expected([[5]]), "text-failed", *expected([[6]])]
    assert "ArithmeticError: a probability is not a number" in caplog.text


def test_out_of_memory_makes_batches_smaller_and_fails_no_text() -> None:
    model, rig = EchoModel(batch_tokens=1024), Rig()
    model.fault = lambda plan: OutOfMemory() if plan.shape.tokens > 200 else None
    texts = [[place] * 20 for place in range(3, 103)]
    with running(rig):
        rig.add(chunk_work(model, len(texts)), texts)
        assert scores(rig.next()) == expected(texts)
        tried = len(model.batches)
        rig.add(chunk_work(model, len(texts)), texts)
        assert scores(rig.next()) == expected(texts)
    assert all(sum(map(len, batch)) <= 200 for batch in model.batches[tried:])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_device_that_fails_on_every_text_ends_the_process_and_answers_nothing(ended: SimpleQueue[str]) -> None:
    model, rig = EchoModel(), Rig()
    model.fault = lambda _: RuntimeError("the device is gone")
    rig.inference.start()
    work = rig.add(chunk_work(model, 2), [[5], [6]])
    assert why_it_ended(rig, ended) == "its thread inference has ended"
    assert work.answers == ["", ""]
    assert rig.completed.empty()


class NoNumbers(EchoModel):
    def run(self, texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> NDArray[np.float32]:
        return np.full_like(super().run(texts, plan), np.nan)


class OneTooFew(EchoModel):
    def run(self, texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> NDArray[np.float32]:
        return super().run(texts, plan)[1:]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("model", "why"),
    [
        (NoNumbers(), "ArithmeticError: the device computes what is not a number\n"),
        (OneTooFew(), "AssertionError: 2 texts went in and 1 answers came out\n"),
    ],
)
def test_a_device_that_computes_nonsense_ends_the_process_and_answers_nothing(
    ended: SimpleQueue[str], caplog: pytest.LogCaptureFixture, model: EchoModel, why: str
) -> None:
    rig = Rig()
    rig.inference.start()
    work = rig.add(chunk_work(model, 2), [[5], [6]])
    why_it_ended(rig, ended)
    assert why in caplog.text
    assert work.answers == ["", ""]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_memory_that_does_not_suffice_for_the_smallest_batch_ends_the_process(ended: SimpleQueue[str]) -> None:
    model, rig = EchoModel(batch_tokens=4 * LEAST_TOKENS), Rig()
    model.fault = lambda _: OutOfMemory()
    rig.inference.start()
    rig.add(chunk_work(model, 2), [[5], [6]])
    assert "inference" in why_it_ended(rig, ended)


def test_what_shares_a_batch_with_a_poisonous_text_is_run_twice_or_three_times_at_most_on_average() -> None:
    model, rig = EchoModel(batch_tokens=1024), Rig()
    texts = [[number + 1000] * 14 for number in range(64)]
    texts[37] = [POISON] * 14
    work = rig.add(chunk_work(model, len(texts)), texts)
    with running(rig):
        assert scores(rig.next()) == expected(texts)
    assert work.errors == 1
    innocent = sum(len(ids) for batch in model.batches for ids in batch if POISON not in ids)
    assert innocent <= 3 * 64 * 16


def test_after_a_poisonous_text_batches_are_small_for_a_while() -> None:
    model, rig = EchoModel(batch_tokens=1024), Rig()
    first = [[number + 1000] * 14 for number in range(63)] + [[POISON] * 14]
    second = [[number + 2000] * 14 for number in range(128 + CAREFUL_TEXTS)]
    rig.add(chunk_work(model, len(first), job="a"), first)
    rig.add(chunk_work(model, len(second), job="b"), second)
    with running(rig):
        for _ in range(2):
            rig.next()
    sizes = [len(batch) for batch in model.batches if all(ids[1] >= 2000 for ids in batch)]
    assert max(sizes[:10]) == 64 // CAREFUL_SHARE
    assert max(sizes[-3:]) > 64 // CAREFUL_SHARE


def test_copies_of_a_poisonous_text_get_its_error() -> None:
    model, rig = EchoModel(), Rig()
    texts = [[POISON], [5], [POISON]]
    rig.add(chunk_work(model, 3), texts)
    failed = REGISTRY.get_sample_value("retort_failed_texts_total") or 0
    with running(rig):
        assert scores(rig.next()) == expected(texts)
    assert REGISTRY.get_sample_value("retort_failed_texts_total") == failed + 2


@pytest.mark.parametrize(
    ("texts", "tried"),
    [
        (
            [POISON, 5, 6, 7, 8, 9],
            [[POISON, 5, 6], [POISON, 5], [POISON], [POISON], [LAST], [5, 6, 7], [8, 9]],
        ),
        ([5, 6, 7, 8, 9, POISON], [[5, 6, 7], [8, 9], [POISON], [LAST]]),
    ],
)
def test_a_poisonous_text_is_found_by_halves(texts: list[int], tried: list[list[int]]) -> None:
    """Of what failed one half is tried; the other waits, unless the first is well. The last try is of no text."""
    model, rig = EchoModel(), Rig()
    rig.add(chunk_work(model, len(texts)), [[text] * 19 for text in texts])
    with running(rig):
        rig.next()
    assert [[int(ids[1]) for ids in batch] for batch in model.batches] == [texts, *tried]


def test_the_search_for_a_poisonous_text_keeps_within_what_memory_there_is() -> None:
    bounds: list[int | None] = []

    class Noting(EchoModel):
        def run_all(self, texts: Sequence[NDArray[np.int32]], max_tokens: int | None = None) -> NDArray[np.float32]:
            bounds.append(max_tokens)
            return super().run_all(texts, max_tokens)

    model, rig = Noting(batch_tokens=256), Rig()
    model.fault = lambda plan: OutOfMemory() if plan.shape.tokens > 128 else None
    texts = [[POISON] * 14, *[[number] * 14 for number in range(3, 18)]]
    rig.add(chunk_work(model, len(texts)), texts)
    with running(rig):
        assert scores(rig.next()) == expected(texts)
    assert set(bounds) == {128}


def test_a_text_that_runs_out_of_memory_while_it_is_tried_alone_waits_for_a_smaller_batch() -> None:
    model, rig = EchoModel(batch_tokens=256), Rig()
    faults: list[Exception] = [RuntimeError("a moment"), OutOfMemory()]
    model.fault = lambda _: faults.pop(0) if faults else None
    with running(rig):
        rig.add(chunk_work(model, 1), [[5] * 20])
        assert scores(rig.next()) == expected([[5] * 20])
        model.fault = lambda plan: OutOfMemory() if plan.shape.tokens > 128 else None
        rig.add(chunk_work(model, 1), [[6] * 20])
        assert scores(rig.next()) == expected([[6] * 20])
    assert faults == []


def test_what_comes_back_from_a_failed_batch_is_dropped_when_its_job_was_cancelled_meanwhile() -> None:
    model, rig = EchoModel(batch_tokens=64), Rig()
    texts = [[number + 1000] * 14 for number in range(8)]
    texts[0] = [POISON] * 14
    cancelled = chunk_work(model, len(texts), job="cancelled")

    def cancel(_: BatchPlan) -> None:
        rig.inference.withdraw(lambda work: work is cancelled)

    model.fault = cancel
    rig.add(cancelled, texts)
    rig.add(chunk_work(model, 1, job="other"), [[5]])
    with running(rig):
        assert rig.next().lease.ticket.job_id == "other"
    assert len([ids for batch in model.batches for ids in batch if ids[1] >= 1004]) == 0


def test_what_goes_wrong_is_logged_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    short, rig = EchoModel(batch_tokens=1024), Rig()
    short.fault = lambda plan: OutOfMemory() if plan.shape.tokens > 600 else None
    with running(rig), caplog.at_level(logging.WARNING):
        rig.add(chunk_work(short, 100), [[place + 3] * 20 for place in range(100)])
        rig.next()
        rig.add(chunk_work(EchoModel(), 2, job="j", chunk=7), [[5], [POISON]])
        work = rig.next()
    assert "text 1 of j/7 can't be predicted" in caplog.messages
    assert "ValueError: poison" in caplog.text
    assert "out of memory: batches have 512 tokens at most from now on" in caplog.messages
    assert json.loads(work.answers[1])["error"]["detail"] == "the model failed on this text, and on no other"


def test_answers_are_kept_for_texts_that_come_again() -> None:
    model, rig = EchoModel(), Rig()
    with running(rig):
        work = rig.add(chunk_work(model, 2), [[5], [POISON]])
        rig.next()
    keys = [text.key for text in text_works(work, [[5], [POISON], [6]])]
    [known, poisonous, unknown] = rig.cache.find(work.source, keys)
    assert known is not None
    assert known.tolist() == pytest.approx([*echo(ids_of(5)), *echo_logits(ids_of(5))], abs=1e-6)
    assert (poisonous, unknown) == (None, None)
