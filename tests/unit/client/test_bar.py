"""What a run shows of its speed."""

from __future__ import annotations

from retort_client.cli.bar import OVER_S, Rate, told


class Clock:
    """Time passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_answers_that_come_by_the_page_make_no_rate_of_thousands() -> None:
    clock = Clock()
    rate = Rate(0, clock)
    clock.now = 10.0
    for done in range(1, 1001):  # one page, in no time
        clock.now += 1e-6
        shown = rate.seen(done)
    assert 99 < shown < 101


def test_the_rate_is_that_of_the_last_minute_and_of_this_run() -> None:
    clock = Clock()
    rate = Rate(5000, clock)
    for second in range(1, 200):
        clock.now = float(second)
        shown = rate.seen(5000 + (100 * second if second < 100 else 9900 + (second - 99)))
    assert abs(shown - 1) < 0.1
    assert len(rate._seen) <= OVER_S / 0.5 + 2


def test_what_is_told_is_for_people() -> None:
    assert told(0.0, 5) == ""
    assert told(1234.4, None) == "1,234 texts/s"
    assert told(10.0, 36_650) == "10 texts/s 1:01:05"
