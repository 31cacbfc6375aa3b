"""What the machine is good at."""

from __future__ import annotations

import pynvml

from encoders.precision import cpu_multiplies_bfloat16
from training.hyperparameters import Precision

BFLOAT16_CAPABILITY = (8, 0)
"""Since Ampere (CUDA C++ Programming Guide, arithmetic instructions)."""


def best_precision() -> Precision:
    """bfloat16 where every GPU that TensorFlow uses, or without one the processor, multiplies it natively.

    Imports TensorFlow only on a machine with an NVIDIA driver: it takes seconds.
    """
    capabilities = _gpu_capabilities() if _has_gpu_driver() else []
    if capabilities:
        return "bfloat16" if min(capabilities) >= BFLOAT16_CAPABILITY else "float32"
    return "bfloat16" if cpu_multiplies_bfloat16() else "float32"


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
