from __future__ import annotations

import pytest

from worker.pipeline.throughput import LEAST_BUSY_S, WEIGHT, Rate, Throughput


class Device:
    busy_s = 0.0


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def throughput(device: Device) -> Throughput:
    return Throughput(lambda: device.busy_s)


def work(device: Device, throughput: Throughput, *, texts: int, size: int, busy_s: float) -> Rate:
    throughput.add(texts, size)
    device.busy_s += busy_s
    return throughput.rate()


def test_a_worker_that_has_done_nothing_has_no_rate(throughput: Throughput) -> None:
    assert throughput.rate() == Rate(0, 0)


def test_the_first_measurement_counts_fully(device: Device, throughput: Throughput) -> None:
    assert work(device, throughput, texts=100, size=5000, busy_s=0.5) == Rate(200, 10_000)


def test_idle_time_does_not_lower_the_rate(device: Device, throughput: Throughput) -> None:
    rate = work(device, throughput, texts=100, size=5000, busy_s=0.5)
    assert [throughput.rate() for _ in range(10)] == [rate] * 10


def test_too_little_work_says_nothing_until_it_adds_up(device: Device, throughput: Throughput) -> None:
    half = 0.6 * LEAST_BUSY_S
    assert work(device, throughput, texts=6, size=60, busy_s=half) == Rate(0, 0)
    assert work(device, throughput, texts=6, size=60, busy_s=half).texts == pytest.approx(12 / (2 * half))


def test_later_measurements_move_the_average(device: Device, throughput: Throughput) -> None:
    work(device, throughput, texts=100, size=1000, busy_s=1)
    rate = work(device, throughput, texts=200, size=1000, busy_s=1)
    assert rate.texts == pytest.approx(100 + WEIGHT * 100)
    assert rate.bytes == pytest.approx(1000)
