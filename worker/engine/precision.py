"""Which number formats are worth a try on a device, and how exact each has to be."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from contract.processor import CPU_INFO
from encoders.precision import cpu_multiplies_bfloat16

Precision = Literal["float32", "bfloat16", "float16"]
Choice = Literal["auto", "float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

TOLERANCE: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 0.03, "float16": 0.03}
"""How far a probability may be from the trainer's, which was computed in float32."""


def candidates(gpu: bool, choice: Choice = "auto", cpu_info: Path = CPU_INFO) -> list[Precision]:
    """Precisions worth a try on this device, the likely fastest first; `choice` leaves only that one."""
    if choice != "auto":
        return [choice]
    if gpu:
        return ["bfloat16", "float16", "float32"]
    return ["bfloat16", "float32"] if cpu_multiplies_bfloat16(cpu_info) else ["float32"]
