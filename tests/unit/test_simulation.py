"""The simulated service, held to what can be said of it by hand."""

from __future__ import annotations

from itertools import cycle, repeat

import pytest

from benchmarks import scale
from benchmarks.latency import percentile
from benchmarks.repeated import zipf
from benchmarks.simulated_time import Clock, Server
from benchmarks.simulation import Costs, Device, Outcome, SimulatedService
from contract.message import Lane

DEVICE = Device(name="a device", batch_tokens=1024, full_batch_s=0.1, least_batch_s=0.01)
FREE = Costs(api_s=0, redis_s=0, worker_s=0)
TOKENS = 64


def carried(costs: Costs, *, workers: int = 1, api_processes: int = 1, redis_per_worker: float = 0.0) -> Outcome:
    """Requests of 16 texts of 64 tokens without end."""
    service = SimulatedService(
        workers=workers,
        device=DEVICE,
        api_processes=api_processes,
        lengths=repeat(TOKENS),
        redis_per_worker=redis_per_worker,
    )
    return service.run(clients=4 * workers, texts=16, costs=costs, seconds=4.0)


def test_a_server_does_one_thing_after_the_other_on_each_process() -> None:
    clock, ends = Clock(), []
    server = Server(clock, processes=2)
    for seconds in (3, 1, 1, 2):
        server.use(seconds, lambda: ends.append(clock.now))
    clock.run_until(2.5)
    assert server.spent_s() == pytest.approx(2.5 + 2.5)
    clock.run_until(10)
    assert ends == [1, 2, 3, 4]
    assert server.spent_s() == pytest.approx(7)


@pytest.mark.parametrize("workers", [1, 3])
def test_devices_alone_carry_full_batches_without_a_pause(workers: int) -> None:
    found = carried(FREE, workers=workers)
    assert found.texts_per_s == pytest.approx(workers * DEVICE.batch_tokens / DEVICE.full_batch_s / TOKENS, rel=0.05)
    assert found.devices_busy == pytest.approx(1, abs=0.05)
    assert found.tokens == pytest.approx(found.device_s / DEVICE.full_batch_s * DEVICE.batch_tokens)


@pytest.mark.parametrize(
    ("costs", "requests_per_s"),
    [
        (Costs(api_s=0, redis_s=0.02, worker_s=0), 50),
        (Costs(api_s=0.05, redis_s=0, worker_s=0), 2 * 20),
        (Costs(api_s=0.05, redis_s=0.04, worker_s=0), 25),
    ],
)
def test_what_all_workers_share_bounds_them_together(costs: Costs, requests_per_s: float) -> None:
    found = carried(costs, workers=20, api_processes=2)
    assert found.texts_per_s == pytest.approx(16 * requests_per_s, rel=0.1)
    assert max(found.redis_busy, found.api_busy) == pytest.approx(1, abs=0.05)
    assert found.devices_busy < 0.5


def test_workers_that_are_only_there_take_their_share_of_redis() -> None:
    costs = Costs(api_s=0, redis_s=0.02, worker_s=0)
    assert carried(costs, workers=20, redis_per_worker=0.025).texts_per_s == pytest.approx(16 * 25, rel=0.1)
    with pytest.raises(ValueError, match="20 workers"):
        carried(costs, workers=20, redis_per_worker=0.05)


def test_a_third_of_the_workers_processor_time_is_time_that_its_device_waits() -> None:
    found = carried(Costs(api_s=0, redis_s=0, worker_s=0.15))
    assert found.devices_busy == pytest.approx(DEVICE.full_batch_s / (DEVICE.full_batch_s + 0.15 / 3), abs=0.05)


def test_a_single_question_waits_for_one_brief_batch_of_the_bulk_lane_at_most() -> None:
    service = SimulatedService(workers=1, device=DEVICE, api_processes=1, lengths=cycle([8, 64, 32]))
    found = service.run(clients=20, texts=16, costs=FREE, seconds=10.0, questions_per_s=5.0, question_costs=FREE)
    questions = found.latencies_s[Lane.INTERACTIVE]
    assert len(questions) > 30
    brief_s = DEVICE.full_batch_s / 2  # the largest shape within 35 ms has a quarter of the tokens
    assert percentile(questions, 0.95) <= brief_s + DEVICE.least_batch_s
    assert len(found.latencies_s[Lane.BULK]) > 100


def test_a_fleet_whose_idle_reads_fill_redis_carries_nothing_and_says_so() -> None:
    too_many = int(1 / scale.REDIS_PER_WORKER) + 1
    [found] = [each for each in scale.fleets({}, [too_many]) if each.device == scale.GPU.name][:1]
    assert (found.texts_per_s, found.full) == (0, "Redis, by idle reads")


def test_the_costs_that_were_measured_go_before_those_that_are_written_down() -> None:
    row = {"name": "64", "cpu_us_per_text": {"api": 10.0, "redis": 5.0, "worker-0": 20.0}}
    measured = scale.costs({"path": {"details": [row]}}, 64)
    assert (measured.api_s, measured.redis_s, measured.worker_s) == pytest.approx((640e-6, 320e-6, 1280e-6))
    assert scale.costs({}, 64).api_s == pytest.approx(64e-6 * scale.US_PER_TEXT[64]["api"])


def test_questions_come_again_by_their_rank_and_are_new_in_each_round() -> None:
    first, second = zipf(["a", "b"], 2000, 0), zipf(["a", "b"], 2000, 1)
    assert not set(first) & set(second)
    counts = [first.count(f"0 {rank} {'ab'[rank % 2]}") for rank in range(10)]
    assert sum(counts) / len(first) == pytest.approx(sum(1 / n for n in range(1, 11)) / 8.18, abs=0.05)
    assert counts[0] == max(counts)
