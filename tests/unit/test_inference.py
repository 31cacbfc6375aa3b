"""The inference thread with a model whose answers tell the texts apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from queue import Empty
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from contract.message import Lane
from harness.until import until
from tests.inference_rig import PATIENCE_S, Rig, expected, running, scores
from tests.stand_ins import POISON, EchoModel, chunk_work, ids_of
from worker.engine.packing import BatchPlan
from worker.pipeline.work import ChunkWork

bodies = st.lists(st.integers(3, 600), max_size=40)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(list(Lane)), st.lists(bodies, min_size=1, max_size=12)), max_size=12))
def test_every_chunk_gets_the_answers_of_its_own_texts(chunks: list[tuple[Lane, list[list[int]]]]) -> None:
    rig, model, asked = Rig(), EchoModel(), dict[str, list[list[int]]]()
    with running(rig):
        for number, (lane, texts) in enumerate(chunks):
            rig.add(chunk_work(model, len(texts), job=f"j{number}", lane=lane), texts)
            asked[f"j{number}"] = texts
        for _ in chunks:
            work = rig.next()
            assert scores(work) == expected(asked.pop(work.lease.ticket.job_id))
    assert not asked


def test_an_expired_chunk_is_settled_without_an_answer_and_without_the_device() -> None:
    model, rig = EchoModel(), Rig()
    expired = rig.add(chunk_work(model, 1, job="late", expires_in_ms=0), [[5]])
    with running(rig):
        rig.add(chunk_work(model, 1, job="early"), [[6]])
        assert rig.next().lease.ticket.job_id == "early"
        assert expired.settled.wait(PATIENCE_S)
    assert expired.answers == [""]
    assert len(model.batches) == 1


def test_a_withdrawn_chunk_is_never_run() -> None:
    model, rig = EchoModel(), Rig()
    gone = rig.add(chunk_work(model, 1, job="gone"), [[5]])
    kept = rig.add(chunk_work(model, 1, job="kept"), [[6]])
    assert rig.inference.withdraw(lambda work: work is gone) == {gone}
    with running(rig):
        assert rig.next() is kept
    assert [ids.tolist() for batch in model.batches for ids in batch] == [ids_of(6).tolist()]


def test_a_chunk_with_a_failed_attempt_runs_alone_after_a_note_of_it() -> None:
    noted: list[str] = []
    model = EchoModel()

    def note(work: ChunkWork) -> bool:
        noted.append(f"{work.lease.ticket.job_id} after {len(model.batches)}")
        return True

    rig = Rig(note)
    long = [[5] * 39 + [number] for number in range(100, 112)]
    for job, attempt, texts in [("a", 1, [[5]]), ("suspect", 2, long), ("b", 1, [[6]]), ("other", 2, [[7]])]:
        rig.add(chunk_work(model, len(texts), job=job, attempt=attempt), texts)
    with running(rig):
        order = [rig.next().lease.ticket.job_id for _ in range(4)]
    assert sorted(order[:2]) == ["a", "b"]
    assert order[2:] == ["suspect", "other"]
    suspect_batches = len(model.batches) - 2
    assert suspect_batches > 1
    assert noted == ["suspect after 1", f"other after {1 + suspect_batches}"]


def test_nothing_runs_before_the_answers_of_a_suspect_are_stored() -> None:
    model, rig = EchoModel(), Rig(lambda _: True)
    for job in ("suspect", "next"):
        rig.add(chunk_work(model, 1, job=job, attempt=2), [[5]])
    with running(rig):
        suspect = rig.next(stored=False)
        with pytest.raises(Empty):
            rig.completed.get(timeout=0.2)
        assert len(model.batches) == 1
        suspect.settled.set()
        assert rig.next().lease.ticket.job_id == "next"


def test_a_chunk_that_is_not_this_workers_any_more_is_not_run() -> None:
    model, rig = EchoModel(), Rig(lambda _: False)
    work = rig.add(chunk_work(model, 20, attempt=2), [[5] * 30] * 20)
    with running(rig):
        assert work.settled.wait(PATIENCE_S)
    assert model.batches == []


def test_the_time_on_the_device_is_known_while_a_batch_runs() -> None:
    model, rig, started, go_on = EchoModel(), Rig(), Event(), Event()

    def hang(_: BatchPlan) -> None:
        started.set()
        go_on.wait(PATIENCE_S)

    model.fault = hang
    with running(rig):
        rig.add(chunk_work(model, 1), [[5]])
        assert started.wait(PATIENCE_S)
        assert rig.inference.busy_s() > 0
        go_on.set()
        rig.next()
    assert rig.inference.busy_s() == 0
    assert rig.inference.busy_total_s > 0


def test_equal_texts_are_computed_once_and_all_answered() -> None:
    model, rig = EchoModel(), Rig()
    works = [rig.add(chunk_work(model, 3, job=job), [[5], [6], [5]]) for job in "ab"]
    with running(rig):
        assert {rig.next() for _ in works} == set(works)
    assert [scores(work) for work in works] == [expected([[5], [6], [5]])] * 2
    assert sum(len(batch) for batch in model.batches) == 2


def test_tokens_wait_until_their_batch_begins_and_again_when_they_are_put_back() -> None:
    model, rig = EchoModel(), Rig()
    texts = [[5, 6], [POISON, 7], [8, 9], [8, 9]]
    work = chunk_work(model, len(texts))
    work.waiting_tokens = 4 * len(texts)
    rig.add(work, texts)
    with running(rig):
        rig.next()
    assert work.waiting_tokens == 0
    assert sum(rig.taken) == 4 * len(texts)
    assert min(rig.taken) < 0


def test_a_text_alone_pays_its_share_of_a_full_batch_and_a_full_batch_its_time() -> None:
    class Slow(EchoModel):
        def run(self, texts: Sequence[NDArray[np.int32]], plan: BatchPlan) -> NDArray[np.float32]:
            time.sleep(0.02)
            return super().run(texts, plan)

    model, rig = Slow(batch_tokens=256), Rig()
    model.seconds_per_token = 1e-6
    with running(rig):
        rig.add(chunk_work(model, 1), [[5] * 20])
        rig.next()
        until(lambda: rig.paid)
        assert sum(rig.paid) == pytest.approx(22e-6, rel=0.2)
        assert rig.inference.busy_total_s >= 0.02
        rig.add(chunk_work(model, 100), [[5 + n] * 20 for n in range(100)])
        rig.next()
        batches = len(model.batches) - 1
        until(lambda: sum(rig.paid) >= 0.02 * (batches - 1))
    assert batches > 2


def test_a_chunk_notes_each_of_its_batches_with_its_time() -> None:
    model, rig = EchoModel(batch_tokens=64), Rig()
    texts = [[number + 5] * 30 for number in range(6)]
    with running(rig):
        before = time.monotonic()
        rig.add(chunk_work(model, len(texts)), texts)
        work = rig.next()
        after = time.monotonic()
    assert [name for name, _, _ in work.steps] == ["batch"] * len(model.batches)
    moments = [moment for _, started, ended in work.steps for moment in (started, ended)]
    assert moments == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= after
