"""What the machine's processor is good at, found without TensorFlow."""

from __future__ import annotations

import re
from pathlib import Path

from training.hyperparameters import Precision

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def cpu_precision(cpuinfo: Path = Path("/proc/cpuinfo")) -> Precision:
    """bfloat16 where the processor multiplies it natively (x86 flags as Linux names them), else float32."""
    try:
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        return "float32"
    return "bfloat16" if flags and BFLOAT16_FLAGS & set(flags[1].split()) else "float32"
