"""Which number formats this machine computes fast."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

Precision = Literal["float32", "bfloat16", "float16"]
Choice = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}

TOLERANCE: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 0.03, "float16": 0.03}
"""How far a probability may be from the trainer's, which was computed in float32."""


def candidates(gpu: bool, choice: Choice = "auto", cpu_info: Path = CPU_INFO) -> list[Precision]:
    """Precisions worth a try on this device, the likely fastest first; `choice` leaves only that one."""
    if choice != "auto":
        return [choice]
    if gpu:
        return ["bfloat16", "float16", "float32"]
    return ["bfloat16", "float32"] if BFLOAT16_FLAGS & cpu_flags(cpu_info) else ["float32"]


def cpu_flags(cpu_info: Path = CPU_INFO) -> set[str]:
    """Instruction set flags of the first processor, as Linux lists them; empty where it does not."""
    try:
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = (line.partition(":")[2] for line in lines if line.startswith("flags"))
    return set(next(flags, "").split())
