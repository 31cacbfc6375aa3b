from __future__ import annotations

import pytest

from api.jobs.backpressure import LONGEST_RETRY_S, UNKNOWN_RETRY_S, bounds, retry_after_s
from api.jobs.fleet_cache import DrainRate
from contract.job_record import Backlog
from contract.job_store import Bounds

ROOM = 10**9


def test_without_a_measured_rate_the_fixed_bounds_hold() -> None:
    assert bounds(1000, 5000, 10, DrainRate()) == Bounds(1000, 5000)


def test_a_slow_fleet_tightens_the_bounds_and_a_fast_one_does_not_widen_them() -> None:
    assert bounds(1000, 5000, 10, DrainRate(20, 100)) == Bounds(200, 1000)
    assert bounds(1000, 5000, 10, DrainRate(2000, 10_000)) == Bounds(1000, 5000)


@pytest.mark.parametrize(
    ("waiting", "texts", "bound", "rate", "expected"),
    [
        (100, 1, 100, 10.0, 1),  # one text too many
        (100, 50, 100, 10.0, 5),  # fifty too many
        (100, 1, 60, 10.0, 5),  # 41 too many
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
