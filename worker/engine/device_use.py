"""How busy the claimed device is and how full its memory: read at every scrape."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pynvml
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker.engine.device import Claim, Gpu

log = logging.getLogger(__name__)


class DeviceUse(Collector):
    """Measures the use of the device. On a CPU that is only the time of its batches, for the process's own memory and
    CPU time are among the `process_` metrics."""

    def __init__(self, claim: Claim, busy_total_s: Callable[[], float], used_bytes: Callable[[], int]) -> None:
        """`busy_total_s` counts the seconds with a batch on the device; `used_bytes` is what this worker uses of a
        GPU's memory."""
        self._gpu = claim.gpu
        self._busy_total_s = busy_total_s
        self._used_bytes = used_bytes
        if self._gpu:
            pynvml.nvmlInit()

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "retort_device_busy_seconds", "Time in which a batch was on the device", value=self._busy_total_s()
        )
        if self._gpu:
            try:
                yield from self._of_gpu(self._gpu)
            except pynvml.NVMLError as error:
                log.warning("no metrics of %s: %s", self._gpu.uuid, error)

    def _of_gpu(self, gpu: Gpu) -> Iterator[Metric]:
        handle = pynvml.nvmlDeviceGetHandleByUUID(gpu.uuid)
        whole, rates = pynvml.nvmlDeviceGetMemoryInfo(handle), pynvml.nvmlDeviceGetUtilizationRates(handle)
        memory = GaugeMetricFamily("retort_gpu_memory_bytes", "The GPU's memory", labels=["kind"])
        memory.add_metric(["total"], whole.total)
        memory.add_metric(["reserved"], whole.used)  # TensorFlow reserves nearly all of it at once
        memory.add_metric(["used"], self._used_bytes())
        yield memory
        yield GaugeMetricFamily("retort_gpu_use_ratio", "Share of time in which a kernel ran, by NVML", rates.gpu / 100)
