"""When a worker stops saying that it lives, and when it ends itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event
from types import SimpleNamespace

import pytest

from contract.errors import StoreUnavailable
from contract.loop import Loop
from harness.until import until
from tests.stand_ins import as_any
from worker import loops
from worker.queueing import heartbeat as heartbeat_module
from worker.queueing import watchdog as watchdog_module
from worker.queueing.heartbeat import Heartbeat
from worker.queueing.watchdog import EXIT_AFTER_HUB_S, EXIT_AFTER_WATCHDOGS, HUNG_AFTER_TICKS, Watchdog

TTL_S, WATCHDOG_S = 7.0, 5.0
PATIENCE_S = 10.0


class Fleet:
    """Counts heartbeats; can be away."""

    def __init__(self) -> None:
        self.beats = 0
        self.left: list[str] = []
        self.is_away = False
        self.faults: list[Exception] = []
        """What the next heartbeats fail with, the last first."""

    def beat(self, _: object) -> None:
        self.live()
        if self.faults:
            raise self.faults.pop()
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
    def __init__(self, interval_s: float = 2.0) -> None:
        self.now = 100.0
        self.busy = 0.0
        self.fleet = Fleet()
        self.health: list[bool] = []
        self.pulse = Watchdog(lambda: self.busy, hub_ttl_s=TTL_S, clock=lambda: self.now)
        self.pulse.watchdog_s = WATCHDOG_S
        self.heartbeat = Heartbeat(
            fleet=as_any(self.fleet),
            status=as_any(lambda: SimpleNamespace(id="w1")),
            watchdog=self.pulse,
            interval_s=interval_s,
            ttl_s=TTL_S,
            on_health=self.health.append,
            clock=lambda: self.now,
        )

    def beat(self, after_s: float = 2.0, *, hub_moves: bool = True) -> bool:
        """Whether Redis heard of it."""
        self.now += after_s
        if hub_moves:
            self.pulse.hub_moved()
        before = self.fleet.beats
        with suppress(StoreUnavailable):
            self.heartbeat.beat()
        return self.fleet.beats > before


def exit_now(why: str) -> None:
    raise Exited(why)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    for module in (loops, heartbeat_module, watchdog_module):
        monkeypatch.setattr(module, "end_process", exit_now)
    return Rig()


def test_a_worker_that_is_well_beats(rig: Rig) -> None:
    assert all(rig.beat() for _ in range(5))
    assert rig.health == [True] * 5


@pytest.mark.usefixtures("rig")
def test_no_exception_ends_the_heartbeat() -> None:
    rig = Rig(interval_s=0.001)
    rig.fleet.faults = [ValueError("junk"), LookupError("of nobody"), MemoryError()]
    rig.heartbeat.start()
    until(lambda: rig.fleet.beats >= 2, PATIENCE_S)
    assert rig.heartbeat.stop(PATIENCE_S)
    assert rig.heartbeat.loop.failures == 3


def test_a_batch_that_hangs_stops_the_heartbeat_and_later_the_process(rig: Rig) -> None:
    rig.busy = WATCHDOG_S
    assert rig.beat()
    rig.busy = WATCHDOG_S + 0.1
    assert not rig.beat()
    assert rig.health == [True, False]
    rig.busy = EXIT_AFTER_WATCHDOGS * WATCHDOG_S + 0.1
    with pytest.raises(Exited, match="batch"):
        rig.beat()


def test_a_batch_that_ends_after_all_brings_the_heartbeat_back(rig: Rig) -> None:
    rig.busy = WATCHDOG_S + 0.1
    rig.beat()
    rig.busy = 0.0
    assert rig.beat()
    assert rig.health == [False, True]


class Part:
    """A loop whose thread the test starts, ends and lets hang."""

    def __init__(self) -> None:
        self.go_on = Event()
        self.go_on.set()
        self.hangs = Event()
        self.fault: BaseException | None = None
        self.loop = Loop("part", self._step, pause_s=0.001, is_fatal=lambda _: True)
        self.loop.start()

    def _step(self) -> None:
        if not self.go_on.is_set():
            self.hangs.set()
        self.go_on.wait(PATIENCE_S)
        if self.fault:
            raise self.fault

    def hang(self) -> None:
        self.go_on.clear()
        self.hangs.clear()
        assert self.hangs.wait(PATIENCE_S)

    def die(self) -> None:
        self.fault = SystemExit(1)
        self.loop._thread.join(PATIENCE_S)


@pytest.fixture
def part() -> Iterator[Part]:
    made = Part()
    yield made
    made.go_on.set()
    made.loop.stop(PATIENCE_S)


def moved(loop: Loop) -> None:
    before = loop.steps
    while loop.steps == before:
        pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("asked", ["by the heartbeat", "by the event loop"])
def test_a_worker_without_one_of_its_threads_ends_at_once(rig: Rig, part: Part, asked: str) -> None:
    rig.pulse.watch([part.loop])
    assert rig.beat()
    part.die()
    ask: Callable[[], object] = rig.heartbeat.beat if asked == "by the heartbeat" else rig.pulse.hub_moved
    with pytest.raises(Exited, match="part thread has ended"):
        ask()
    assert rig.fleet.beats == 1


def test_a_thread_that_was_stopped_has_not_died(rig: Rig, part: Part) -> None:
    rig.pulse.watch([part.loop], quick=True)
    part.loop.stop(PATIENCE_S)
    for _ in range(HUNG_AFTER_TICKS + 1):
        rig.pulse.hub_moved()
    assert rig.beat()


def test_a_quick_thread_that_hangs_ends_the_process_after_a_minute_of_ticks(rig: Rig, part: Part) -> None:
    part.hang()
    rig.pulse.watch([part.loop], quick=True)
    for _ in range(HUNG_AFTER_TICKS - 1):
        rig.pulse.hub_moved()
    with pytest.raises(Exited, match="part thread hangs"):
        rig.pulse.hub_moved()


def test_a_process_that_was_stopped_for_an_hour_does_not_take_its_threads_for_hung(rig: Rig, part: Part) -> None:
    rig.pulse.watch([part.loop], quick=True)
    for _ in range(10):
        rig.now += 3600
        rig.pulse.hub_moved()
        moved(part.loop)


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
