"""What the machine is good at."""

from __future__ import annotations

import re
from pathlib import Path

import pynvml

from training.hyperparameters import Precision

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
BFLOAT16_CAPABILITY = (8, 0)
"""Since Ampere (CUDA C++ Programming Guide, arithmetic instructions)."""


def best_precision() -> Precision:
    """bfloat16 where every GPU that TensorFlow uses, or without one the processor, multiplies it natively.

    Imports TensorFlow only on a machine with an NVIDIA driver: it takes seconds.
    """
    capabilities = _gpu_capabilities() if _has_gpu_driver() else []
    if capabilities:
        return "bfloat16" if min(capabilities) >= BFLOAT16_CAPABILITY else "float32"
    return cpu_precision()


def cpu_precision(cpuinfo: Path = Path("/proc/cpuinfo")) -> Precision:
    """bfloat16 where the processor multiplies it natively (x86 flags as Linux names them), else float32."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return "float32"
    return "bfloat16" if flags and BFLOAT16_FLAGS & set(flags[1].split()) else "float32"


def _has_gpu_driver() -> bool:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    pynvml.nvmlShutdown()
    return True


def _gpu_capabilities() -> list[tuple[int, int]]:
    from training.bert_compat import tf

    details = [tf.config.experimental.get_device_details(gpu) for gpu in tf.config.list_physical_devices("GPU")]
    return [each.get("compute_capability", (0, 0)) for each in details]
