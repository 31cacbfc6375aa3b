from __future__ import annotations

from pathlib import Path

import pytest

from training.fit import device


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags : fpu avx2 avx512_bf16 sse", "bfloat16"),
        ("flags\t: amx_bf16", "bfloat16"),
        ("flags : fpu avx2", "float32"),
    ],
)
def test_a_processor_that_multiplies_bfloat16_uses_it(tmp_path: Path, flags: str, precision: str) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\nbugs : avx512_bf16\n")

    assert device.cpu_precision(tmp_path / "cpuinfo") == precision


def test_where_the_processor_is_unknown_float32_is_used(tmp_path: Path) -> None:
    assert device.cpu_precision(tmp_path / "cpuinfo") == "float32"


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [([(9, 0), (8, 0)], "bfloat16"), ([(9, 0), (7, 5)], "float32"), ([(0, 0)], "float32")],
)
def test_gpus_use_bfloat16_when_all_of_them_multiply_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: list[tuple[int, int]], precision: str
) -> None:
    monkeypatch.setattr(device, "_has_gpu_driver", lambda: True)
    monkeypatch.setattr(device, "_gpu_capabilities", lambda: capabilities)

    assert device.best_precision() == precision


@pytest.mark.parametrize("driver", [True, False])
def test_without_a_gpu_the_processor_decides(monkeypatch: pytest.MonkeyPatch, driver: bool) -> None:
    monkeypatch.setattr(device, "_has_gpu_driver", lambda: driver)
    monkeypatch.setattr(device, "_gpu_capabilities", list)

    assert device.best_precision() == device.cpu_precision()
