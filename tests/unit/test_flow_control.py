"""Gates and the order in which the lanes are read."""

from __future__ import annotations

import pytest

from contract.message import JobQueue, Lane, queue_name
from worker.queueing import flow_control
from worker.queueing.flow_control import BULK_FIRST_EVERY, FlowControl, LaneOrder, PauseReason, tokens_ahead

INTERACTIVE, BULK = JobQueue("m", Lane.INTERACTIVE), JobQueue("m", Lane.BULK)
BOTH = (INTERACTIVE, BULK)
QUEUES = [queue_name(*queue) for queue in BOTH]


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> FlowControl:
    """Open ones, which take 100 interactive and 10 bulk tokens of model m, as the process's."""
    made = FlowControl()
    made.open("m", {Lane.INTERACTIVE: 100, Lane.BULK: 10})
    monkeypatch.setattr(flow_control, "flow", made)
    return made


@pytest.fixture
def order() -> LaneOrder:
    return LaneOrder(QUEUES[::-1])


def test_nothing_is_read_before_there_is_a_model() -> None:
    made = FlowControl()
    assert not any(map(made.is_open, BOTH))
    assert not made.takes_work()


@pytest.mark.parametrize("why", list(PauseReason))
def test_every_pause_shuts_every_lane_until_it_is_resumed(flow: FlowControl, why: PauseReason) -> None:
    flow.pause(why)
    flow.pause(why)
    assert not any(map(flow.is_open, BOTH))
    flow.resume(why)
    assert all(map(flow.is_open, BOTH))


def test_resuming_from_one_pause_leaves_the_others(flow: FlowControl) -> None:
    flow.pause(PauseReason.DRAINING)
    flow.pause(PauseReason.UNWELL)
    flow.resume(PauseReason.UNWELL)
    assert not any(map(flow.is_open, BOTH))


def test_a_lane_shuts_when_enough_of_it_is_held_and_the_other_stays_open(flow: FlowControl) -> None:
    flow.hold(BULK, 10)
    assert not flow.is_open(BULK)
    assert flow.is_open(INTERACTIVE)
    flow.take(BULK, 1)
    assert flow.is_open(BULK)


@pytest.mark.parametrize(
    ("batch_tokens", "seconds_per_token", "tokens"),
    [
        pytest.param(1000, 1e-3, 2000, id="two batches, where a batch takes a second"),
        pytest.param(1000, 1e-5, 20_000, id="0.2 s, where a batch takes 10 ms"),
        pytest.param(1000, 1e-8, 32_000, id="32 batches, where they take next to nothing"),
        pytest.param(1000, 0.0, 32_000, id="or nothing"),
        pytest.param(1000, float("inf"), 2000, id="two batches, where the speed is not known"),
    ],
)
def test_as_much_waits_as_keeps_the_device_busy_until_the_next_read(
    batch_tokens: int, seconds_per_token: float, tokens: int
) -> None:
    assert tokens_ahead(batch_tokens, seconds_per_token) == tokens


def test_the_hub_is_woken_when_a_lane_opens_and_only_then(flow: FlowControl) -> None:
    woken = list[bool]()
    flow.open("m", {Lane.INTERACTIVE: 100, Lane.BULK: 10})
    flow.set_on_open(lambda: woken.append(True))
    flow.hold(BULK, 30)
    flow.take(BULK, 10)
    assert woken == []
    flow.take(BULK, 20)
    assert woken == [True]
    flow.pause(PauseReason.UNWELL)
    flow.resume(PauseReason.UNWELL)
    flow.resume(PauseReason.UNWELL)
    assert woken == [True, True]


@pytest.mark.usefixtures("flow")
def test_interactive_is_read_first_and_bulk_now_and_then(order: LaneOrder) -> None:
    reads = [order.consume(2) for _ in range(2 * BULK_FIRST_EVERY)]
    assert all(sorted(read) == sorted(QUEUES) for read in reads)
    bulk_first = [number for number, read in enumerate(reads, 1) if read[0].endswith(Lane.BULK)]
    assert bulk_first == [BULK_FIRST_EVERY, 2 * BULK_FIRST_EVERY]


def test_a_shut_lane_is_not_read(order: LaneOrder, flow: FlowControl) -> None:
    flow.hold(INTERACTIVE, 100)
    assert order.consume(2) == [queue_name("m", Lane.BULK)]
    flow.hold(BULK, 10)
    assert order.consume(2) == []


def test_a_model_that_leaves_memory_is_read_no_more_and_the_others_are(flow: FlowControl) -> None:
    flow.open("n", {Lane.INTERACTIVE: 100, Lane.BULK: 10})
    flow.close("m")
    assert not any(map(flow.is_open, BOTH))
    assert flow.is_open(JobQueue("n", Lane.BULK))


def test_what_is_held_of_one_model_shuts_no_other(flow: FlowControl) -> None:
    flow.open("n", {Lane.INTERACTIVE: 100, Lane.BULK: 10})
    flow.hold(INTERACTIVE, 1000)
    assert not flow.is_open(INTERACTIVE)
    assert flow.is_open(JobQueue("n", Lane.INTERACTIVE))


def test_of_a_lane_the_model_that_was_not_read_for_longest_is_read_first(flow: FlowControl) -> None:
    models = ("a", "b", "c")
    for model in models:
        flow.open(model, {Lane.INTERACTIVE: 100})
    order = LaneOrder([queue_name(model, Lane.INTERACTIVE) for model in models])
    read = [order.rotate(order.consume(3)[0]) for _ in range(3 * BULK_FIRST_EVERY)]
    assert [JobQueue.parse(name).model for name in read] == [*models] * BULK_FIRST_EVERY


def test_a_busy_model_does_not_keep_another_waiting(flow: FlowControl) -> None:
    for model in ("busy", "rare"):
        flow.open(model, {Lane.INTERACTIVE: 100})
    busy, rare = (queue_name(model, Lane.INTERACTIVE) for model in ("busy", "rare"))
    order = LaneOrder([busy, rare])
    order.consume(2)
    for _ in range(20):
        order.rotate(busy)
        assert order.consume(2)[0] == rare


def test_bulk_chunks_leave_places_for_questions_of_whatever_model(flow: FlowControl) -> None:
    woken = list[bool]()
    flow.set_messages(8)
    flow.open("n", {Lane.INTERACTIVE: 100, Lane.BULK: 10})
    flow.set_on_open(lambda: woken.append(True))
    for _ in range(6):
        flow.hold(BULK, 1)
    other = JobQueue("n", Lane.BULK)
    assert not flow.is_open(other)
    assert flow.is_open(JobQueue("n", Lane.INTERACTIVE))
    flow.settle(BULK, 1)
    assert flow.is_open(other)
    assert woken == [True]


@pytest.mark.parametrize("model", ["default", "a.b-c_d", "1-bulk", "x.0-interactive"])
@pytest.mark.parametrize("lane", list(Lane))
def test_a_queue_is_told_by_its_name(model: str, lane: Lane) -> None:
    assert JobQueue.parse(queue_name(model, lane)) == JobQueue(model, lane)


@pytest.mark.parametrize("name", ["celery", "retort.m.2-bulk", "retort.m.1-fast", "m.1-bulk"])
def test_what_is_no_queue_of_this_service_is_told(name: str) -> None:
    with pytest.raises(ValueError, match="is"):
        JobQueue.parse(name)
