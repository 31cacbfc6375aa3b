"""A loop ends when it is asked to, and for nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from threading import Event, Thread

import pytest

from contract.errors import StoreUnavailable
from contract.loop import Loop
from contract.throttle import MOST_KEYS, LogThrottle

PATIENCE_S = 10.0


class Steps:
    """A step that fails as told, and says when it has been taken so often."""

    def __init__(self, *faults: BaseException | None) -> None:
        self.faults = list(faults)
        self.taken = 0
        self.all_taken = Event()

    def __call__(self) -> None:
        fault = self.faults[min(self.taken, len(self.faults) - 1)]
        self.taken += 1
        if self.taken > len(self.faults):
            self.all_taken.set()
        if fault is not None:
            raise fault


def ran(loop: Loop, steps: Steps) -> Loop:
    """The loop, after all of the steps and before its stop."""
    loop.start()
    assert steps.all_taken.wait(PATIENCE_S)
    return loop


def test_any_exception_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps(ValueError("a"), MemoryError("b"), StoreUnavailable("c"), OSError(24, "d"), None)
    loop = ran(Loop("sweep", steps, retry_s=0.001), steps)
    assert (loop.is_alive(), loop.has_died(), loop.failures) == (True, False, 4)
    assert loop.stop(PATIENCE_S)
    assert [record.args[:2] for record in caplog.records if record.args] == [  # type: ignore[index]
        ("sweep", "ValueError"),
        ("sweep", "MemoryError"),
        ("sweep", "StoreUnavailable"),
        ("sweep", "OSError"),
    ]


def test_only_an_error_that_is_ours_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps(KeyError("ours"), StoreUnavailable("Redis: away"), None)
    ran(Loop("sweep", steps, retry_s=0.001), steps).stop(PATIENCE_S)
    assert [(record.levelno, bool(record.exc_info)) for record in caplog.records] == [
        (logging.ERROR, True),
        (logging.WARNING, False),
    ]


def test_the_same_error_is_logged_once_a_minute_with_its_number(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    steps = Steps(*[ValueError("over and over")] * 50, None)
    ran(Loop("sweep", steps, retry_s=0.0, clock=lambda: now), steps).stop(PATIENCE_S)
    assert len(caplog.records) == 1


def test_a_key_is_admitted_once_a_period_and_then_told_how_often_it_was_kept_back() -> None:
    now = 0.0
    throttle = LogThrottle(60.0, lambda: now)
    assert [throttle.admit("a") for _ in range(3)] == [0, None, None]
    assert throttle.admit("b") == 0
    now = 59.9
    assert throttle.admit("a") is None
    now = 60.0
    assert [throttle.admit("a"), throttle.admit("a")] == [3, None]


def test_a_throttle_keeps_only_the_keys_of_the_last_period() -> None:
    now = 0.0
    throttle = LogThrottle(60.0, lambda: now)
    for key in range(MOST_KEYS):
        throttle.admit(key)
    now = 61.0
    throttle.admit("new")
    assert len(throttle._seen) == 1


def test_failures_in_a_row_are_counted_until_a_step_succeeds() -> None:
    steps = Steps(ValueError(), ValueError(), None)
    loop = ran(Loop("sweep", steps, retry_s=0.001), steps)
    loop.stop(PATIENCE_S)
    assert (loop.failures, loop.failures_in_a_row) == (2, 0)


def test_a_loop_pauses_between_two_steps_and_a_stop_does_not_wait_for_the_pause() -> None:
    steps = Steps(None)
    loop = Loop("sweep", steps, pause_s=3600.0)
    loop.start()
    while not steps.taken:
        pass
    assert loop.stop(PATIENCE_S)
    assert steps.taken == 1


def test_a_stop_wakes_a_step_that_waits() -> None:
    work = Event()
    loop = Loop("commit", work.wait, wake=work.set)
    loop.start()
    assert loop.stop(PATIENCE_S)


def test_a_stop_is_bounded_when_the_step_hangs() -> None:
    go_on = Event()
    loop = Loop("device", go_on.wait)
    loop.start()
    assert not loop.stop(0.05)
    assert loop.is_alive()
    go_on.set()
    assert loop.stop(PATIENCE_S)


def test_a_loop_that_was_never_started_is_stopped_at_once() -> None:
    loop = Loop("sweep", lambda: None)
    assert loop.stop()
    assert not loop.has_died()


def test_how_long_no_step_has_ended_is_known() -> None:
    now = 100.0
    go_on, entered = Event(), Event()

    def step() -> None:
        entered.set()
        go_on.wait(PATIENCE_S)

    loop = Loop("device", step, clock=lambda: now, pause_s=3600)
    loop.start()
    assert entered.wait(PATIENCE_S)
    now = 107.0
    assert loop.idle_s() == 7.0
    go_on.set()
    assert loop.stop(PATIENCE_S)
    assert loop.idle_s() == 0.0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("fault", "is_fatal"),
    [(SystemExit(3), lambda _: False), (OSError(24, "too many open files"), lambda error: isinstance(error, OSError))],
    ids=["no-exception-of-a-program", "fatal"],
)
def test_a_thread_that_can_not_go_on_says_so_as_its_last_act(
    fault: BaseException, is_fatal: Callable[[Exception], bool], caplog: pytest.LogCaptureFixture
) -> None:
    died = Event()
    loop = Loop("commit", Steps(fault), is_fatal=is_fatal, on_death=died.set)
    loop.start()
    assert died.wait(PATIENCE_S)
    loop._thread.join(PATIENCE_S)
    assert (loop.is_alive(), loop.has_died()) == (False, True)
    assert "the thread commit ends" in caplog.text


def test_a_loop_that_is_stopped_has_not_died() -> None:
    deaths: list[int] = []
    loop = Loop("sweep", lambda: None, pause_s=0.001, on_death=lambda: deaths.append(1))
    loop.start()
    loop.stop(PATIENCE_S)
    assert (loop.has_died(), deaths) == (False, [])


def test_a_system_without_room_for_a_thread_is_told_to_whoever_starts_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", full)
    with pytest.raises(RuntimeError, match="thread"):
        Loop("sweep", lambda: None).start()


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
from threading import Event
from contract.loop import Loop
taken, queue = [], Event()
sweeping = Loop("sweep", lambda: taken.append(1), pause_s=0.001)
waiting = Loop("wait", queue.wait, wake=queue.set)
sweeping.start(), waiting.start()
while len(taken) < 10:
    Event().wait(0.001)
assert sweeping.is_alive() and waiting.is_alive()
assert sweeping.stop(5) and waiting.stop(5)
"""


def test_a_loop_runs_on_a_greenlet_too() -> None:
    done = subprocess.run([sys.executable, "-c", UNDER_GEVENT], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
