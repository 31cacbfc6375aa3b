"""The inference thread with a model whose answers tell the texts apart."""

from __future__ import annotations

import time
from queue import Empty
from threading import Event
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from contract.message import Lane
from tests.inference_rig import PATIENCE_S, Rig, expected, running, scores
from tests.stand_ins import POISON, EchoModel, chunk_work, ids_of, text_works
from worker.engine.packing import BatchPlan
from worker.pipeline import inference
from worker.pipeline.work import ChunkWork

bodies = st.lists(st.integers(3, 600), max_size=40)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The inference thread's clock, which shows its last element."""
    now = [0.0]
    monkeypatch.setattr(inference, "time", SimpleNamespace(monotonic=lambda: now[-1]))
    return now


def take_a_second(model: EchoModel, clock: list[float]) -> None:
    """Let each batch of the model take a second."""
    model.fault = lambda _: clock.append(clock[-1] + 1)


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


def test_a_store_that_is_away_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "COMMIT_S", 0.1)
    model, rig = EchoModel(), Rig()
    for job in ("suspect", "next"):
        rig.add(chunk_work(model, 1, job=job, attempt=2), [[5]])
    with running(rig):
        assert [rig.next(stored=False).lease.ticket.job_id for _ in range(2)] == ["suspect", "next"]


def test_a_chunk_that_is_not_this_workers_any_more_is_not_run() -> None:
    model, rig = EchoModel(), Rig(lambda work: work.lease.ticket.job_id != "gone")
    gone = rig.add(chunk_work(model, 20, job="gone", attempt=2), [[5 + n] * 30 for n in range(20)])
    kept = rig.add(chunk_work(model, 1, job="kept", attempt=2), [[6]])
    with running(rig):
        assert gone.settled.wait(PATIENCE_S)
        assert rig.next() is kept
    assert [ids.tolist() for batch in model.batches for ids in batch] == [ids_of(6).tolist()]
    assert (gone.withdrawn, kept.withdrawn) == (True, False)


def test_the_time_on_the_device_is_known_while_a_batch_runs() -> None:
    model, rig, started, go_on = EchoModel(), Rig(), Event(), Event()

    def hang(_: BatchPlan) -> None:
        started.set()
        go_on.wait(PATIENCE_S)

    model.fault = hang
    assert (rig.inference.busy_s(), rig.inference.busy_total_s) == (0, 0)
    with running(rig):
        before = time.monotonic()
        rig.add(chunk_work(model, 1), [[5]])
        assert started.wait(PATIENCE_S)
        assert 0 < rig.inference.busy_s() <= time.monotonic() - before
        go_on.set()
        rig.next()
    assert rig.inference.busy_s() == 0


def test_a_batch_is_measured(clock: list[float]) -> None:
    of_batches = [f"batch_{what}_sum" for what in ("seconds", "texts", "tokens")]
    names = [*of_batches, "computed_tokens_total", "shared_answers_total"]

    def counted() -> list[float]:
        return [REGISTRY.get_sample_value(f"retort_{name}") or 0.0 for name in names]

    model, rig, before = EchoModel(), Rig(), counted()
    take_a_second(model, clock)
    with running(rig):
        steps = [rig.add(chunk_work(model, 3), [[5], [6], [5]]) and rig.next().steps for _ in range(2)]
    grown = [now - then for now, then in zip(counted(), before, strict=True)]
    assert grown == [2, 4, 12, 32, 2]
    assert rig.inference.busy_total_s == 2
    assert rig.paid == [("m", 1), ("m", 1)]
    assert steps == [[("batch", 0, 1)], [("batch", 1, 2)]]


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
    tokens = [tokens for _, tokens in rig.taken]
    assert sum(tokens) == 4 * len(texts)
    assert min(tokens) < 0
    assert {queue for queue, _ in rig.taken} == {work.queue}


def test_a_full_batch_pays_its_time_and_another_its_share_of_a_full_one(clock: list[float]) -> None:
    model, rig = EchoModel(batch_tokens=256), Rig()
    model.seconds_per_token = 0.001
    take_a_second(model, clock)
    with running(rig):
        rig.add(chunk_work(model, 1), [[5] * 20])
        rig.next()
        rig.add(chunk_work(model, 30), [[6 + n] * 20 for n in range(30)])
        rig.next()
    first, *full, last = (sum(map(len, batch)) for batch in model.batches)
    assert (first, len(full) > 1) == (22, True)
    assert [seconds for _, seconds in rig.paid] == pytest.approx([0.022, *[1] * len(full), 0.001 * last])


def test_bulk_batches_are_brief_while_short_questions_come_in() -> None:
    model, rig = EchoModel(batch_tokens=256), Rig()
    later = time.monotonic() + 1000
    rig.inference.add(text_works(chunk_work(model, 1, job="question"), [[5]], later))
    rig.add(chunk_work(model, 8, lane=Lane.BULK), [[6 + n] * 20 for n in range(8)])
    with running(rig):
        assert rig.next().lease.ticket.job_id == "question"
        rig.next()
    assert [sum(map(len, batch)) for batch in model.batches] == [3, 44, 44, 44, 44]


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
