from __future__ import annotations

import pytest

from training.fit import device


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
@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_without_a_gpu_the_processor_decides(
    monkeypatch: pytest.MonkeyPatch, driver: bool, fast: bool, precision: str
) -> None:
    monkeypatch.setattr(device, "_has_gpu_driver", lambda: driver)
    monkeypatch.setattr(device, "_gpu_capabilities", list)
    monkeypatch.setattr(device, "cpu_multiplies_bfloat16", lambda: fast)

    assert device.best_precision() == precision
