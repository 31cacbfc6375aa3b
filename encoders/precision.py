"""Which number formats the processor computes fast."""

from __future__ import annotations

from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def cpu_multiplies_bfloat16(cpu_info: Path = CPU_INFO) -> bool:
    """Whether the processor has instructions for products of bfloat16; false where Linux does not list its flags."""
    return bool(BFLOAT16_FLAGS & cpu_flags(cpu_info))


def cpu_flags(cpu_info: Path = CPU_INFO) -> set[str]:
    """Instruction set flags of the first processor, as Linux lists them; empty where it does not."""
    try:
        lines = cpu_info.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    flags = (line.partition(":")[2] for line in lines if line.startswith("flags"))
    return set(next(flags, "").split())
