"""Pauses between attempts grow, and end after a day."""

from __future__ import annotations

from itertools import count, pairwise

import pytest

from notifier.schedule import GROWTH, LONGEST_S, SPREAD, Schedule

DAY_S = 86_400.0
USUAL = Schedule(first_pause_s=5, give_up_s=DAY_S)


def pauses(chance: float) -> list[float]:
    """All that a webhook has whose receiver never answers."""
    found: list[float] = []
    for attempt in count(1):
        pause = USUAL.pause_s(attempt, sum(found), chance)
        if pause is None:
            return found
        found.append(pause)
    raise AssertionError


def test_each_pause_is_three_times_the_one_before_up_to_four_hours() -> None:
    found = pauses(0.5)
    assert found[:4] == [5, 15, 45, 135]
    for shorter, longer in pairwise(found):
        assert longer == min(shorter * GROWTH, LONGEST_S)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
def test_it_is_tried_for_most_of_a_day_and_no_longer(chance: float) -> None:
    assert DAY_S - (1 + SPREAD) * LONGEST_S <= sum(pauses(chance)) <= DAY_S


def test_chance_spreads_what_failed_together() -> None:
    assert USUAL.pause_s(1, 0, 0.0) == pytest.approx(5 * (1 - SPREAD))
    assert USUAL.pause_s(1, 0, 1.0) == pytest.approx(5 * (1 + SPREAD))
    assert len({USUAL.pause_s(1, 0) for _ in range(20)}) > 1


def test_a_thousandth_attempt_is_no_larger_number_than_others() -> None:
    assert USUAL.pause_s(1000, 0, 0.5) == LONGEST_S
