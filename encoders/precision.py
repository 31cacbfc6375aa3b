"""Which number formats the processor computes fast."""

from __future__ import annotations

from pathlib import Path

from contract import processor

BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
"""x86's. arm's `bf16` is not among them: TensorFlow's products in bfloat16 want AVX-512."""


def cpu_multiplies_bfloat16(cpu_info: Path = processor.CPU_INFO) -> bool:
    """True when the processor has instructions for products of bfloat16; false where Linux does not list its flags."""
    return not BFLOAT16_FLAGS.isdisjoint(processor.flags(cpu_info))
