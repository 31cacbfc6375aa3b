from __future__ import annotations

from pathlib import Path

import pytest

from encoders.precision import cpu_multiplies_bfloat16


@pytest.mark.parametrize(
    ("flags", "fast"),
    [
        ("flags : fpu avx2 avx512_bf16 sse", True),
        ("flags\t: amx_bf16", True),
        ("flags : fpu avx2", False),
        ("Features : asimd bf16", False),
    ],
)
def test_a_processor_multiplies_bfloat16_when_its_flags_say_so(tmp_path: Path, flags: str, fast: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\nbugs : avx512_bf16\n")

    assert cpu_multiplies_bfloat16(tmp_path / "cpuinfo") == fast


def test_where_the_processor_is_unknown_it_does_not(tmp_path: Path) -> None:
    assert not cpu_multiplies_bfloat16(tmp_path / "cpuinfo")
