"""Which libraries compute here: the one that was asked for, or those that can."""

from __future__ import annotations

import pytest

from contract.errors import BadSettings
from worker.engine import runtimes
from worker.engine.precision import Choice, Precision
from worker.engine.runtimes import RuntimeChoice, available, kinds


def machine(monkeypatch: pytest.MonkeyPatch, *, gpu: bool, openvino: bool, bfloat16: bool = False) -> None:
    """This one, as if it had these."""
    monkeypatch.setattr(runtimes, "on_gpu", lambda: gpu)
    monkeypatch.setattr(runtimes, "find_spec", lambda _: openvino or None)
    monkeypatch.setattr("worker.engine.precision.cpu_multiplies_bfloat16", lambda _: bfloat16)
    monkeypatch.setattr(runtimes, "cpu_multiplies_bfloat16", lambda: bfloat16)


@pytest.mark.parametrize(
    ("choice", "gpu", "openvino", "found"),
    [
        ("auto", False, True, ["openvino", "tensorflow"]),
        ("auto", False, False, ["tensorflow"]),
        ("auto", True, True, ["tensorflow"]),
        ("tensorflow", False, True, ["tensorflow"]),
        ("tensorflow", True, True, ["tensorflow"]),
        ("openvino", False, True, ["openvino"]),
    ],
)
def test_a_cpu_has_what_is_installed_and_a_gpu_tensorflow_alone(
    monkeypatch: pytest.MonkeyPatch, choice: RuntimeChoice, gpu: bool, openvino: bool, found: list[str]
) -> None:
    machine(monkeypatch, gpu=gpu, openvino=openvino)
    assert available(choice) == found


@pytest.mark.parametrize(
    ("gpu", "openvino", "message"), [(True, True, "this worker has a GPU"), (False, False, "openvino is not installed")]
)
def test_one_that_is_asked_for_and_can_not_compute_here_is_refused(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, openvino: bool, message: str
) -> None:
    machine(monkeypatch, gpu=gpu, openvino=openvino)
    with pytest.raises(BadSettings, match=f"RETORT_RUNTIME: .*{message}"):
        available("openvino")


@pytest.mark.parametrize(
    ("precision", "bfloat16", "found"),
    [
        ("auto", True, [(each, of) for of in ("bfloat16", "float32") for each in ("openvino", "tensorflow")]),
        ("auto", False, [("openvino", "float32"), ("tensorflow", "float32")]),
        ("bfloat16", False, [("tensorflow", "bfloat16")]),
        ("float16", True, [("tensorflow", "float16")]),
    ],
)
def test_openvino_is_tried_only_in_what_the_processor_computes_fast(
    monkeypatch: pytest.MonkeyPatch, precision: Choice, bfloat16: bool, found: list[tuple[str, Precision]]
) -> None:
    machine(monkeypatch, gpu=False, openvino=True, bfloat16=bfloat16)
    assert kinds("auto", precision) == found
