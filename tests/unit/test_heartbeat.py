"""When a worker stops saying that it lives, and when it ends itself."""

from __future__ import annotations

import os
from functools import partial
from types import SimpleNamespace

import pytest

from contract.errors import StoreUnavailable
from tests.stand_ins import as_any
from worker.queueing.heartbeat import EXIT_AFTER_HUB_S, EXIT_AFTER_WATCHDOGS, EXIT_CODE, Heartbeat, Watchdog

TTL_S, WATCHDOG_S = 7.0, 5.0


class Fleet:
    """Counts heartbeats; can be away."""

    def __init__(self) -> None:
        self.beats = 0
        self.left: list[str] = []
        self.is_away = False

    def beat(self, _: object) -> None:
        self.live()
        self.beats += 1

    def live(self) -> None:
        if self.is_away:
            raise StoreUnavailable("Redis: away")

    def leave(self, worker: str) -> None:
        self.live()
        self.left.append(worker)


class Exited(Exception):
    pass


class Rig:
    def __init__(self) -> None:
        self.now = 100.0
        self.busy = 0.0
        self.alive = {"inference": True, "commit": True}
        self.fleet = Fleet()
        self.health: list[bool] = []
        self.pulse = Watchdog(
            lambda: self.busy,
            {name: partial(self.alive.__getitem__, name) for name in self.alive},
            TTL_S,
            lambda: self.now,
        )
        self.pulse.watchdog_s = WATCHDOG_S
        self.heartbeat = Heartbeat(
            as_any(self.fleet),
            as_any(lambda: SimpleNamespace(id="w1")),
            self.pulse,
            2.0,
            TTL_S,
            self.health.append,
            lambda: self.now,
        )

    def beat(self, after_s: float = 2.0, *, hub_moves: bool = True) -> bool:
        """Whether Redis heard of it."""
        self.now += after_s
        if hub_moves:
            self.pulse.hub_moved()
        before = self.fleet.beats
        self.heartbeat.beat()
        return self.fleet.beats > before


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    def exit_with(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr(os, "_exit", exit_with)
    return Rig()


def test_a_worker_that_is_well_beats(rig: Rig) -> None:
    assert all(rig.beat() for _ in range(5))
    assert rig.health == [True] * 5


def test_a_batch_that_hangs_stops_the_heartbeat_and_later_the_process(rig: Rig) -> None:
    rig.busy = WATCHDOG_S
    assert rig.beat()
    rig.busy = WATCHDOG_S + 0.1
    assert not rig.beat()
    assert rig.health == [True, False]
    rig.busy = EXIT_AFTER_WATCHDOGS * WATCHDOG_S + 0.1
    with pytest.raises(Exited, match=str(EXIT_CODE)):
        rig.beat()


def test_a_batch_that_ends_after_all_brings_the_heartbeat_back(rig: Rig) -> None:
    rig.busy = WATCHDOG_S + 0.1
    rig.beat()
    rig.busy = 0.0
    assert rig.beat()
    assert rig.health == [False, True]


@pytest.mark.parametrize("thread", ["inference", "commit"])
def test_a_worker_without_one_of_its_threads_ends_at_once(rig: Rig, thread: str) -> None:
    rig.alive[thread] = False
    with pytest.raises(Exited):
        rig.beat()
    assert rig.fleet.beats == 0


def test_an_event_loop_that_hangs_stops_the_heartbeat_and_later_the_process(rig: Rig) -> None:
    rig.beat()
    assert not rig.beat(TTL_S + 0.1, hub_moves=False)
    with pytest.raises(Exited):
        rig.beat(EXIT_AFTER_HUB_S, hub_moves=False)


def test_the_event_loop_is_not_to_blame_while_redis_is_away(rig: Rig) -> None:
    rig.beat()
    rig.fleet.is_away = True
    for _ in range(60):
        assert not rig.beat(hub_moves=False)
    rig.fleet.is_away = False
    assert rig.beat(hub_moves=False)


def test_before_celery_has_started_there_is_no_event_loop_to_hang(rig: Rig) -> None:
    assert rig.beat(1000, hub_moves=False)


def test_a_long_warm_up_is_no_hang(rig: Rig) -> None:
    rig.pulse.watchdog_s = float("inf")
    rig.busy = 1000.0
    assert rig.beat()


def test_a_worker_is_steady_after_a_time_to_live_of_heartbeats_without_a_gap(rig: Rig) -> None:
    steady = []
    for _ in range(6):
        rig.beat()
        steady.append(rig.heartbeat.is_steady())
    assert steady == [False, False, False, False, True, True]


@pytest.mark.parametrize("gap", ["redis is away", "the process is stopped"])
def test_after_a_gap_a_worker_has_to_become_steady_anew(rig: Rig, gap: str) -> None:
    for _ in range(6):
        rig.beat()
    if gap == "redis is away":
        rig.fleet.is_away = True
        for _ in range(4):
            rig.beat()
        rig.fleet.is_away = False
    else:
        rig.now += TTL_S + 0.1
    assert not rig.heartbeat.is_steady()
    steady = []
    for _ in range(5):
        rig.beat()
        steady.append(rig.heartbeat.is_steady())
    assert steady == [False, False, False, False, True]


def test_a_worker_that_stops_leaves_the_fleet_if_it_can(rig: Rig) -> None:
    rig.heartbeat.start()
    rig.heartbeat.stop()
    assert rig.fleet.left == ["w1"]
    other = Rig()
    other.fleet.is_away = True
    other.heartbeat.start()
    other.heartbeat.stop()
    assert other.fleet.left == []
