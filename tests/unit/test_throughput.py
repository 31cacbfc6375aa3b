"""The rate of each model, from the seconds of the device that its work was worth."""

from __future__ import annotations

import pytest

from worker.pipeline.throughput import LEAST_BUSY_S, WEIGHT, Rate, Throughput


def work(throughput: Throughput, *, texts: int, size: int, busy_s: float, model: str = "m") -> Rate:
    throughput.add(model, texts, size)
    throughput.pay(model, busy_s)
    return throughput.rate(model)


def test_a_worker_that_has_done_nothing_has_no_rate() -> None:
    assert Throughput().rate("m") == Rate(0, 0)


def test_the_first_measurement_counts_fully() -> None:
    assert work(Throughput(), texts=100, size=5000, busy_s=0.5) == Rate(200, 10_000)


def test_idle_time_does_not_lower_the_rate() -> None:
    throughput = Throughput()
    rate = work(throughput, texts=100, size=5000, busy_s=0.5)
    assert [throughput.rate("m") for _ in range(10)] == [rate] * 10


def test_too_little_work_says_nothing_until_it_adds_up() -> None:
    throughput, half = Throughput(), 0.6 * LEAST_BUSY_S
    assert work(throughput, texts=6, size=60, busy_s=half) == Rate(0, 0)
    assert work(throughput, texts=6, size=60, busy_s=half).texts == pytest.approx(12 / (2 * half))


def test_later_measurements_move_the_average() -> None:
    throughput = Throughput()
    work(throughput, texts=100, size=1000, busy_s=1)
    rate = work(throughput, texts=200, size=1000, busy_s=1)
    assert rate.texts == pytest.approx(100 + WEIGHT * 100)
    assert rate.bytes == pytest.approx(1000)


def test_each_model_has_a_rate_of_its_own() -> None:
    throughput = Throughput()
    work(throughput, texts=100, size=1000, busy_s=1)
    assert work(throughput, texts=10, size=1000, busy_s=1, model="slow").texts == 10
    assert throughput.rate("m").texts == 100
