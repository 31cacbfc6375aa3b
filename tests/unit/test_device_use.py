"""What a worker says of its device, with a driver that answers for one GPU only."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import pynvml
import pytest
from prometheus_client import CollectorRegistry

from worker.engine.device import Claim, Gpu
from worker.engine.device_use import DeviceUse

GPU = Gpu("GPU-1", "a card")


def scrape(gpu: Gpu | None) -> CollectorRegistry:
    registry = CollectorRegistry()
    with tempfile.TemporaryFile("w") as lock:
        registry.register(DeviceUse(Claim("device", gpu, lock), lambda: 12.5, lambda: 300))
    return registry


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """NVML with one GPU, which can be lost."""
    state = SimpleNamespace(lost=False)

    def find(uuid: str) -> str:
        if state.lost or uuid != GPU.uuid:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        return uuid

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", find)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda _: SimpleNamespace(total=1000, used=900))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda _: SimpleNamespace(gpu=40))
    return state


def test_a_cpu_reports_its_busy_time_and_no_gpu() -> None:
    found = scrape(None)

    assert found.get_sample_value("retort_device_busy_seconds_total") == 12.5
    assert found.get_sample_value("retort_gpu_use_ratio") is None


@pytest.mark.usefixtures("driver")
def test_a_gpu_reports_its_memory_and_use() -> None:
    found = scrape(GPU)

    assert found.get_sample_value("retort_device_busy_seconds_total") == 12.5
    assert found.get_sample_value("retort_gpu_use_ratio") == 0.4
    memory = {kind: found.get_sample_value("retort_gpu_memory_bytes", {"kind": kind}) for kind in ("total", "used")}
    assert memory == {"total": 1000, "used": 300}
    assert found.get_sample_value("retort_gpu_memory_bytes", {"kind": "reserved"}) == 900


def test_a_gpu_that_is_lost_leaves_the_other_metrics_alone(driver: SimpleNamespace) -> None:
    driver.lost = True

    assert scrape(GPU).get_sample_value("retort_device_busy_seconds_total") == 12.5
