from __future__ import annotations

import pytest

from api.jobs.backpressure import LONGEST_RETRY_S, UNKNOWN_RETRY_S, Backpressure, bounds, retry_after_s
from api.jobs.fleet_cache import DrainRate
from api.settings import ApiSettings
from contract.job_record import Backlog, JobState, JobStatus
from contract.job_store import Bounds
from contract.message import Lane
from contract.prediction import Options
from tests.stand_ins import as_any

ROOM = 10**9


def test_without_a_measured_rate_the_fixed_bounds_hold() -> None:
    assert bounds(1000, 5000, 10, DrainRate()) == Bounds(1000, 5000)


def test_however_slow_the_fleet_is_what_it_drains_bounds_the_backlog() -> None:
    assert bounds(1000, 5000, 10, DrainRate(0.5, 0.7)) == Bounds(5, 7)


def test_a_slow_fleet_tightens_the_bounds_and_a_fast_one_does_not_widen_them() -> None:
    assert bounds(1000, 5000, 10, DrainRate(20, 100)) == Bounds(200, 1000)
    assert bounds(1000, 5000, 10, DrainRate(2000, 10_000)) == Bounds(1000, 5000)


@pytest.mark.parametrize(
    ("waiting", "texts", "bound", "rate", "expected"),
    [
        (100, 1, 100, 10.0, 1),  # one text too many
        (100, 50, 100, 10.0, 5),  # fifty too many
        (100, 1, 60, 10.0, 5),  # 41 too many
        (100, 1, 100, 0.1, 10),  # one too many, and slow
        (100, 5000, 100, 10.0, 10),  # never fits; an empty lane takes it
        (100, 50, 100, 1000.0, 1),  # at least a second
        (100, 50, 100, 0.0, UNKNOWN_RETRY_S),  # nobody knows
        (10**6, 10**6, 100, 1.0, LONGEST_RETRY_S),
    ],
)
def test_the_client_is_told_to_return_when_there_is_room(
    waiting: int, texts: int, bound: int, rate: float, expected: int
) -> None:
    assert retry_after_s(Backlog(waiting, 0), texts, 0, Bounds(bound, ROOM), DrainRate(rate, 0)) == expected


def test_the_slower_of_texts_and_bytes_decides() -> None:
    assert retry_after_s(Backlog(100, 900), 10, 300, Bounds(105, 1000), DrainRate(10, 20)) == 10


def test_what_fits_exactly_waits_for_nobody_however_little_is_known_of_the_rate() -> None:
    assert retry_after_s(Backlog(100, 900), 1, 100, Bounds(100, 1000), DrainRate(10, 0)) == 1


class Jobs:
    """What the backlogs are now."""

    def __init__(self, backlogs: dict[tuple[str, Lane], Backlog]) -> None:
        self._backlogs = backlogs

    def backlog(self, model: str, lane: Lane) -> Backlog:
        return self._backlogs[model, lane]


class Rates:
    """What each model's workers get through."""

    def __init__(self, rates: dict[str, DrainRate]) -> None:
        self._rates = rates

    def rate(self, model: str) -> DrainRate:
        return self._rates[model]


SETTINGS = ApiSettings(
    backlog_texts=1000, backlog_bytes=5000, backlog_s=10,
    bulk_backlog_texts=9000, bulk_backlog_bytes=70_000, bulk_backlog_s=100,
)  # fmt: skip


def backpressure(rate: DrainRate, drained: int = 0) -> Backpressure:
    return Backpressure(
        as_any(Jobs({("m", Lane.BULK): Backlog(drained=drained)})), as_any(Rates({"m": rate})), SETTINGS
    )


def test_each_lane_has_bounds_of_its_own_and_the_seconds_of_its_own() -> None:
    fixed, measured = backpressure(DrainRate()), backpressure(DrainRate(20, 100))
    assert fixed.bounds("m", Lane.INTERACTIVE) == Bounds(1000, 5000)
    assert fixed.bounds("m", Lane.BULK) == Bounds(9000, 70_000)
    assert measured.bounds("m", Lane.INTERACTIVE) == Bounds(200, 1000)
    assert measured.bounds("m", Lane.BULK) == Bounds(2000, 10_000)


def test_a_client_returns_when_its_own_models_workers_have_made_room() -> None:
    told = backpressure(DrainRate(10, 20)).retry_after_s("m", Backlog(100, 900), 10, 300, Bounds(105, 1000))
    assert told == 10


def job(ahead: int = 100, drained: int = 1000, done: int = 0) -> JobStatus:
    """A job of 50 texts, admitted behind `ahead` texts, when `drained` had ever left the lane."""
    return JobStatus(
        id="a" * 29, state=JobState.QUEUED, model="m", version=None, lane=Lane.BULK, options=Options(), caller="",
        texts=50, done=done, errors=0, chunks=1, dead=0,
        created_ms=0, started_ms=None, finished_ms=None, deadline_at_ms=0, ahead=ahead, drained=drained,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("drained", "done", "ahead", "seconds"),
    [
        (1000, 0, 100, 50.0),  # as admitted
        (1070, 0, 30, 26.7),  # seventy of those before it are done
        (1100, 0, 0, 16.7),  # it is its turn
        (1120, 20, 0, 10.0),  # what left since then was its own, or came later
    ],
)
def test_texts_ahead_and_seconds_left_shrink_with_what_leaves_the_lane(
    drained: int, done: int, ahead: int, seconds: float
) -> None:
    told = backpressure(DrainRate(3, 100), drained).outlook(job(done=done))
    assert told == {"texts_ahead": ahead, "seconds_left": seconds}


def test_nobody_guesses_the_seconds_left_and_the_slowest_fleet_has_some() -> None:
    assert backpressure(DrainRate(), 1100).outlook(job())["seconds_left"] is None
    assert backpressure(DrainRate(0.5, 1), 1100).outlook(job())["seconds_left"] == 100
