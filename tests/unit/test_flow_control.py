"""Gates and the order in which the lanes are read."""

from __future__ import annotations

import pytest

from contract.message import Lane, queue_name
from worker.queueing import flow_control
from worker.queueing.flow_control import BULK_FIRST_EVERY, FlowControl, LaneOrder, PauseReason

QUEUES = [queue_name("m", lane) for lane in Lane]


@pytest.fixture
def flow(monkeypatch: pytest.MonkeyPatch) -> FlowControl:
    """Open ones, which take 100 interactive and 10 bulk tokens, as the process's."""
    made = FlowControl()
    made.set_bounds({Lane.INTERACTIVE: 100, Lane.BULK: 10})
    made.resume(PauseReason.NO_MODEL)
    monkeypatch.setattr(flow_control, "flow", made)
    return made


@pytest.fixture
def order() -> LaneOrder:
    return LaneOrder(QUEUES[::-1])  # type: ignore[no-untyped-call]


def test_nothing_is_read_before_there_is_a_model() -> None:
    made = FlowControl()
    made.set_bounds({Lane.INTERACTIVE: 100, Lane.BULK: 10})
    assert not any(map(made.is_open, Lane))


@pytest.mark.parametrize("why", list(PauseReason))
def test_every_pause_shuts_every_lane_until_it_is_resumed(flow: FlowControl, why: PauseReason) -> None:
    flow.pause(why)
    flow.pause(why)
    assert not any(map(flow.is_open, Lane))
    flow.resume(why)
    assert all(map(flow.is_open, Lane))


def test_resuming_from_one_pause_leaves_the_others(flow: FlowControl) -> None:
    flow.pause(PauseReason.DRAINING)
    flow.pause(PauseReason.UNWELL)
    flow.resume(PauseReason.UNWELL)
    assert not any(map(flow.is_open, Lane))


def test_a_lane_shuts_when_enough_of_it_is_held_and_the_other_stays_open(flow: FlowControl) -> None:
    flow.hold(Lane.BULK, 10)
    assert not flow.is_open(Lane.BULK)
    assert flow.is_open(Lane.INTERACTIVE)
    flow.release(Lane.BULK, 1)
    assert flow.is_open(Lane.BULK)


def test_the_hub_is_woken_when_a_lane_opens_and_only_then(flow: FlowControl) -> None:
    woken = list[bool]()
    flow.set_bounds({Lane.INTERACTIVE: 100, Lane.BULK: 10})
    flow.set_on_open(lambda: woken.append(True))
    flow.hold(Lane.BULK, 30)
    flow.release(Lane.BULK, 10)
    assert woken == []
    flow.release(Lane.BULK, 20)
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
    flow.hold(Lane.INTERACTIVE, 100)
    assert order.consume(2) == [queue_name("m", Lane.BULK)]
    flow.hold(Lane.BULK, 10)
    assert order.consume(2) == []
