"""Which texts go next, held to a brute-force sort of everything that waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.message import Lane
from tests.stand_ins import MAX_LENGTH, EchoModel, as_model, chunk_work, text_works
from worker.engine import packing
from worker.engine.packing import BatchPlan, Shape
from worker.pipeline.batcher import BRIEF_FOR_S, WINDOW, Batch, Batcher
from worker.pipeline.work import TextWork

if TYPE_CHECKING:
    from worker.engine.model import Model

MAX_AGE_S = 2.0
SHAPES = packing.shapes(MAX_LENGTH, 256)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def plan(_: object, lengths: Sequence[int], _brief: bool) -> BatchPlan:
    return packing.plan(lengths, SHAPES)


@dataclass(frozen=True)
class Arrival:
    after_s: float
    lane: Lane
    lengths: tuple[int, ...]
    model: int
    suspect: bool


arrivals = st.lists(
    st.builds(
        Arrival,
        after_s=st.sampled_from([0.001, 0.01, 0.5, 3.0]),
        lane=st.sampled_from(list(Lane)),
        lengths=st.lists(st.integers(3, MAX_LENGTH), min_size=1, max_size=6).map(tuple),
        model=st.integers(0, 1),
        suspect=st.booleans(),
    ),
    max_size=25,
)
MODELS = (EchoModel("old"), EchoModel("new"))
unlike = count(100)


def works(arrived: Arrival, number: int, now: float) -> list[TextWork]:
    attempt = 2 if arrived.suspect else 1
    work = chunk_work(MODELS[arrived.model], len(arrived.lengths), job=f"j{number}", lane=arrived.lane, attempt=attempt)
    return text_works(work, [body(length) for length in arrived.lengths], now)


def body(length: int) -> list[int]:
    """So many tokens with the first and the last, unlike every text before."""
    return [next(unlike)] + [7] * (length - 3)


def most_urgent_first(waiting: Sequence[TextWork], last: Lane, now: float) -> list[TextWork]:
    """By age in each lane; the interactive lane first, but for every second batch while a bulk text is overdue."""
    overdue = any(now - text.arrived >= MAX_AGE_S for text in waiting if text.chunk.lane is Lane.BULK)
    first = Lane.BULK if overdue and last is Lane.INTERACTIVE else Lane.INTERACTIVE
    return sorted(waiting, key=lambda text: (text.chunk.lane is not first, text.arrived))


def batch_key(text: TextWork) -> tuple[str, Lane, str]:
    alone = text.chunk.lease.ticket.job_id if text.chunk.lease.attempt > 1 else ""
    return text.chunk.model.version, text.chunk.lane, alone


@settings(max_examples=200)
@given(arrivals, st.lists(st.integers(0, 3), max_size=25))
def test_every_text_goes_once_and_in_the_order_of_urgency(story: list[Arrival], takes: list[int]) -> None:
    clock, waiting, taken = Clock(), list[TextWork](), list[TextWork]()
    batcher = Batcher(MAX_AGE_S, clock)

    def take() -> Batch[BatchPlan] | None:
        batch = batcher.take(plan)
        if batch is not None:
            ordered = most_urgent_first(waiting, taken[-1].chunk.lane if taken else Lane.BULK, clock.now)
            expected = [text for text in ordered if batch_key(text) == batch_key(ordered[0])][:WINDOW]
            assert [text.arrived for text in batch.offered] == [text.arrived for text in expected]
            assert {id(text) for text in batch.offered} == {id(text) for text in expected}
            chosen = [batch.offered[i] for i in packing.plan([text.length for text in batch.offered], SHAPES).texts]
            assert batch.texts == chosen
            assert batch.texts[0] is batch.offered[0]
            for text in batch.texts:
                waiting.remove(text)
            taken.extend(batch.texts)
        return batch

    for number, arrived in enumerate(story):
        clock.now += arrived.after_s
        new = works(arrived, number, clock.now)
        waiting += new
        batcher.add(new)
        for _ in range(takes[number] if number < len(takes) else 0):
            take()
    while take() is not None:
        pass

    assert len(batcher) == len(waiting) == 0
    assert len({id(text) for text in taken}) == len(taken) == sum(len(arrived.lengths) for arrived in story)


@given(arrivals, st.integers(0, 24))
def test_removing_chunks_leaves_every_other_text(story: list[Arrival], doomed: int) -> None:
    batcher = Batcher(MAX_AGE_S, Clock())
    texts = [text for number, arrived in enumerate(story) for text in works(arrived, number, 0.0)]
    batcher.add(texts)
    removed = batcher.remove_chunks(lambda work: work.lease.ticket.job_id == f"j{doomed}")
    assert [work.lease.ticket.job_id for work in removed] == ([f"j{doomed}"] if doomed < len(story) else [])
    assert {text.chunk for text in texts if text.chunk.withdrawn} == removed
    left = []
    while batch := batcher.take(plan):
        left += batch.texts
    kept = [text for text in texts if text.chunk.lease.ticket.job_id != f"j{doomed}"]
    assert sorted(map(id, left)) == sorted(map(id, kept))


def test_a_bulk_text_goes_in_bounded_time_under_an_unending_interactive_load() -> None:
    clock, batch_s, generator = Clock(), 0.1, np.random.default_rng(0)
    batcher, waits = Batcher(MAX_AGE_S, clock), list[float]()
    for step in range(400):
        # Nine tenths of what the device can do; without the age bound, a full batch would mostly be interactive.
        lengths = tuple(int(length) for length in generator.integers(8, 48, 8))
        batcher.add(works(Arrival(0, Lane.INTERACTIVE, lengths, 0, False), 2 * step, clock.now))
        if step % 10 == 0:
            batcher.add(works(Arrival(0, Lane.BULK, (32,) * 4, 0, False), 2 * step + 1, clock.now))
        batch = batcher.take(plan)
        assert batch is not None
        waits += [clock.now - text.arrived for text in batch.texts if text.chunk.lane is Lane.BULK]
        clock.now += batch_s
    assert len(waits) >= 150
    assert max(waits) <= MAX_AGE_S + 5 * batch_s


def test_a_short_question_waits_for_one_bulk_batch_at_most_however_old_the_bulk_texts_are() -> None:
    clock = Clock()
    batcher = Batcher(MAX_AGE_S, clock)
    batcher.add(works(Arrival(0, Lane.BULK, (32,) * 300, 0, False), 0, clock.now))
    clock.now += 10 * MAX_AGE_S
    for question in range(1, 20):
        batcher.add(works(Arrival(0, Lane.INTERACTIVE, (8,), 0, False), question, clock.now))
        lanes = []
        while Lane.INTERACTIVE not in lanes:
            batch = batcher.take(plan)
            assert batch is not None
            lanes.append(batch.texts[0].chunk.lane)
        assert len(lanes) <= 2


def test_a_lone_text_goes_at_once() -> None:
    batcher, model = Batcher(MAX_AGE_S, Clock()), EchoModel()
    [text] = text_works(chunk_work(model, 1), [[5]])
    batcher.add([text])
    batch = batcher.take(plan)
    assert batch is not None
    assert batch.texts == [text]
    assert batch.plan.shape == Shape(1, 16)
    assert batcher.take(plan) is None


def test_the_age_is_that_of_the_oldest_text() -> None:
    clock = Clock()
    batcher = Batcher(MAX_AGE_S, clock)
    assert batcher.oldest_age_s() == 0
    batcher.add(text_works(chunk_work(EchoModel(), 1), [[5]], clock.now))
    clock.now += 0.25
    batcher.add(text_works(chunk_work(EchoModel(), 1, lane=Lane.BULK), [[5]], clock.now))
    assert batcher.oldest_age_s() == 0.25


def test_bulk_batches_are_brief_only_while_short_questions_come_in() -> None:
    clock = Clock()
    batcher = Batcher(MAX_AGE_S, clock)
    asked: list[bool] = []

    def one(_: object, lengths: Sequence[int], brief: bool) -> BatchPlan:
        asked.append(brief)
        return packing.plan(lengths[:1], SHAPES)

    def arrive(lane: Lane, texts: int) -> None:
        work = chunk_work(EchoModel("old"), texts, job="j", lane=lane)
        batcher.add(text_works(work, [body(3) for _ in range(texts)], clock.now))

    arrive(Lane.BULK, 3)
    batcher.take(one)
    arrive(Lane.INTERACTIVE, 1)
    batcher.take(one)
    batcher.take(one)
    clock.now += BRIEF_FOR_S
    batcher.take(one)
    assert asked == [False, False, True, False]


def test_equal_texts_of_a_lane_take_one_place_in_the_batch() -> None:
    batcher, model = Batcher(MAX_AGE_S, Clock()), EchoModel()
    first = text_works(chunk_work(model, 3), [[5], [6], [5]])
    second = text_works(chunk_work(model, 1), [[5]])
    [alone] = text_works(chunk_work(model, 1, attempt=2), [[5]])
    batcher.add([*first, *second, alone])
    batch = batcher.take(plan)
    assert batch is not None
    assert batch.texts == first[:2]
    assert batch.with_copies(batch.texts) == [first[0], first[2], *second, first[1]]
    assert len(batcher) == 1


def test_what_is_put_back_goes_first_and_in_its_order() -> None:
    batcher = Batcher(MAX_AGE_S, Clock())
    texts = text_works(chunk_work(EchoModel(), 4), [[5], [6], [7], [8]])
    batcher.add(texts[:3])
    batcher.take(plan)
    batcher.add(texts[3:])
    batcher.put_back(texts[1:3])
    batch = batcher.take(plan)
    assert batch is not None
    assert batch.texts == texts[1:]
    assert batcher.remove_chunks(lambda _: True) == set()


def test_a_lone_text_can_be_put_back() -> None:
    batcher = Batcher(MAX_AGE_S, Clock())
    [text] = text_works(chunk_work(EchoModel(), 1), [[5]])
    batcher.put_back([text])
    batch = batcher.take(plan)
    assert batch is not None
    assert batch.texts == [text]


@pytest.mark.parametrize(("first", "texts"), [(4, 2 * 4096 // 4), (3, 2 * 4096 // 4 + 1)])
def test_a_full_batch_is_offered_twice_over_however_short_the_texts_are(first: int, texts: int) -> None:
    batcher, model, offered = Batcher(MAX_AGE_S, Clock()), EchoModel(batch_tokens=4096), list[int]()
    batcher.add(text_works(chunk_work(model, 4000), [body(first), *(body(4) for _ in range(3999))]))

    def one(asked: Model, lengths: Sequence[int], _brief: bool) -> BatchPlan:
        assert asked is as_model(model)
        offered.append(len(lengths))
        return packing.plan(lengths[:1], SHAPES)

    batcher.take(one)
    assert offered == [texts]


def test_a_plan_chooses_from_a_window_where_that_is_more_than_two_batches() -> None:
    batcher, offered = Batcher(MAX_AGE_S, Clock()), list[int]()
    batcher.add(text_works(chunk_work(EchoModel(), WINDOW + 50), [body(40) for _ in range(WINDOW + 50)]))

    def one(_: object, lengths: Sequence[int], _brief: bool) -> BatchPlan:
        offered.append(len(lengths))
        return packing.plan(lengths[:1], SHAPES)

    batcher.take(one)
    assert offered == [WINDOW]


def test_a_bulk_text_is_overdue_at_the_age_bound() -> None:
    clock = Clock()
    batcher = Batcher(MAX_AGE_S, clock)
    batcher.add(works(Arrival(0, Lane.BULK, (32,), 0, False), 0, clock.now))
    lanes = []
    for number, age_s in enumerate((0.0, MAX_AGE_S - 0.5, MAX_AGE_S)):
        clock.now = 1000.0 + age_s
        batcher.add(works(Arrival(0, Lane.INTERACTIVE, (8,), 0, False), number + 1, clock.now))
        batch = batcher.take(plan)
        assert batch is not None
        lanes.append(batch.texts[0].chunk.lane)
    assert lanes == [Lane.INTERACTIVE, Lane.INTERACTIVE, Lane.BULK]


def test_a_batch_is_full_when_it_leaves_texts_that_could_have_gone_with_it() -> None:
    batcher = Batcher(MAX_AGE_S, Clock())
    texts = text_works(chunk_work(EchoModel(), 3), [[5], [6], [7]])
    batcher.add(texts)
    first = batcher.take(lambda *asked: packing.plan(asked[1][:2], SHAPES))
    assert first is not None
    assert (first.texts, first.is_full) == (texts[:2], True)
    assert first.model is texts[0].chunk.model
    last = batcher.take(plan)
    assert last is not None
    assert (last.texts, last.is_full) == (texts[2:], False)
