"""What a service got through lately, by looks at its counters."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from api.jobs.drain_history import KEPT, DrainHistory, PastRate
from contract.errors import StoreUnavailable


class Counters:
    """The counters of a service, and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.counts: Mapping[str, int] | None = {}

    def __call__(self) -> Mapping[str, int]:
        if self.counts is None:
            raise StoreUnavailable("away")
        return self.counts

    def at(self, now: float, counts: Mapping[str, int] | None) -> None:
        self.now, self.counts = now, counts


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def history(counters: Counters) -> DrainHistory:
    history = DrainHistory(counters, lambda: counters.now)
    history.close()  # each test looks by itself
    history._looks.clear()
    return history


def test_rates_are_those_between_two_looks(history: DrainHistory, counters: Counters) -> None:
    for now, counts in ((100.0, {"a": 10}), (102.0, {"a": 30}), (104.0, {"a": 30})):
        counters.at(now, counts)
        history.look()
    assert history.rates() == [PastRate(2.0, 10.0), PastRate(0.0, 0.0)]


def test_a_counter_that_is_new_or_begins_anew_is_no_work(history: DrainHistory, counters: Counters) -> None:
    for now, counts in ((100.0, {"a": 10}), (101.0, {"a": 11, "b": 500}), (102.0, {"a": 0, "b": 503})):
        counters.at(now, counts)
        history.look()
    assert [rate.texts_per_s for rate in history.rates()] == [1.0, 3.0]


def test_a_store_that_was_away_leaves_one_rate_over_all_that_time(history: DrainHistory, counters: Counters) -> None:
    for now, counts in ((100.0, {"a": 0}), (102.0, None), (110.0, {"a": 50})):
        counters.at(now, counts)
        history.look()
    assert history.rates() == [PastRate(0.0, 5.0)]


def test_no_more_than_the_last_minutes_are_remembered(history: DrainHistory, counters: Counters) -> None:
    for second in range(2 * KEPT):
        counters.at(float(second), {"a": second})
        history.look()
    assert len(history.rates()) == KEPT - 1
