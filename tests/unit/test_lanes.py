"""Gates and the order in which the lanes are read."""

from __future__ import annotations

import pytest

from contract.message import Lane, queue_name
from worker.queueing import flow_control
from worker.queueing.flow_control import BULK_FIRST_EVERY, Bar, Gates, LaneOrder

QUEUES = [queue_name("m", lane) for lane in Lane]


@pytest.fixture
def gates(monkeypatch: pytest.MonkeyPatch) -> Gates:
    """Open ones, which take 100 interactive and 10 bulk tokens, as the process's."""
    made = Gates()
    made.configure({Lane.INTERACTIVE: 100, Lane.BULK: 10}, on_open=lambda: None)
    made.lift(Bar.NO_MODEL)
    monkeypatch.setattr(flow_control, "gates", made)
    return made


@pytest.fixture
def order() -> LaneOrder:
    return LaneOrder(QUEUES[::-1])  # type: ignore[no-untyped-call]


def test_nothing_is_read_before_there_is_a_model() -> None:
    made = Gates()
    made.configure({Lane.INTERACTIVE: 100, Lane.BULK: 10}, on_open=lambda: None)
    assert not any(map(made.is_open, Lane))


@pytest.mark.parametrize("why", list(Bar))
def test_every_bar_shuts_every_lane_until_it_is_lifted(gates: Gates, why: Bar) -> None:
    gates.bar(why)
    gates.bar(why)
    assert not any(map(gates.is_open, Lane))
    gates.lift(why)
    assert all(map(gates.is_open, Lane))


def test_lifting_one_bar_leaves_the_others(gates: Gates) -> None:
    gates.bar(Bar.DRAINING)
    gates.bar(Bar.UNWELL)
    gates.lift(Bar.UNWELL)
    assert not any(map(gates.is_open, Lane))


def test_a_lane_shuts_when_enough_of_it_is_held_and_the_other_stays_open(gates: Gates) -> None:
    gates.hold(Lane.BULK, 10)
    assert not gates.is_open(Lane.BULK)
    assert gates.is_open(Lane.INTERACTIVE)
    gates.release(Lane.BULK, 1)
    assert gates.is_open(Lane.BULK)


def test_the_hub_is_woken_when_a_lane_opens_and_only_then(gates: Gates) -> None:
    woken = list[bool]()
    gates.configure({Lane.INTERACTIVE: 100, Lane.BULK: 10}, on_open=lambda: woken.append(True))
    gates.hold(Lane.BULK, 30)
    gates.release(Lane.BULK, 10)
    assert woken == []
    gates.release(Lane.BULK, 20)
    assert woken == [True]
    gates.bar(Bar.UNWELL)
    gates.lift(Bar.UNWELL)
    gates.lift(Bar.UNWELL)
    assert woken == [True, True]


@pytest.mark.usefixtures("gates")
def test_interactive_is_read_first_and_bulk_now_and_then(order: LaneOrder) -> None:
    reads = [order.consume(2) for _ in range(2 * BULK_FIRST_EVERY)]
    assert all(sorted(read) == sorted(QUEUES) for read in reads)
    bulk_first = [number for number, read in enumerate(reads, 1) if read[0].endswith(Lane.BULK)]
    assert bulk_first == [BULK_FIRST_EVERY, 2 * BULK_FIRST_EVERY]


def test_a_shut_lane_is_not_read(order: LaneOrder, gates: Gates) -> None:
    gates.hold(Lane.INTERACTIVE, 100)
    assert order.consume(2) == [queue_name("m", Lane.BULK)]
    gates.hold(Lane.BULK, 10)
    assert order.consume(2) == []
