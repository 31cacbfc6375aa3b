"""What is known of a processor, on copies of /proc/cpuinfo of several machines and where there is none."""

from __future__ import annotations

import ast
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from contract import processor
from encoders.precision import cpu_multiplies_bfloat16
from worker.engine.precision import candidates

ROOT = Path(__file__).parents[2]
MACHINES = ROOT / "tests" / "cpuinfo"
PRODUCTS = ("api", "worker", "training", "notifier", "contract", "encoders", "local", "benchmarks", "client")
MEASURES_AS_LINUX_DOES = {"benchmarks/plugs.py"}
LINUX_ONLY = ("/proc/", "/sys/", "sched_getaffinity")


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        ("x86_amx", "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"),
        ("arm_neoverse_n1", "aarch64, implementer 0x41, part 0xd0c"),
    ],
)
def test_the_name_is_the_kernels_or_what_arm_numbers_its_parts(
    monkeypatch: pytest.MonkeyPatch, machine: str, name: str
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    assert processor.name(MACHINES / machine) == name


def test_without_a_description_the_name_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")

    assert processor.name(tmp_path / "none") == "arm64"


def test_flags_are_read_whichever_word_the_kernel_has_for_them(tmp_path: Path) -> None:
    assert {"avx2", "amx_bf16"} <= processor.flags(MACHINES / "x86_amx")
    assert {"asimd", "ssbs"} <= processor.flags(MACHINES / "arm_neoverse_n1")
    assert processor.flags(tmp_path / "none") == frozenset()


def test_only_flags_are_flags() -> None:
    assert "avx512_bf16" in (MACHINES / "x86_avx2").read_text(), "as a bug of it"
    assert "avx512_bf16" not in processor.flags(MACHINES / "x86_avx2")


@pytest.mark.parametrize(
    ("machine", "precisions"),
    [
        ("x86_amx", ["bfloat16", "float32"]),
        ("x86_avx2", ["float32"]),
        ("arm_neoverse_n1", ["float32"]),
        ("arm_neoverse_v1", ["float32"]),  # it has bf16, but the products that are used here want AVX-512 for it
        ("none", ["float32"]),
    ],
)
def test_worker_and_training_take_bfloat16_on_x86_that_multiplies_it(machine: str, precisions: list[str]) -> None:
    assert candidates(gpu=False, cpu_info=MACHINES / machine) == precisions
    assert cpu_multiplies_bfloat16(MACHINES / machine) == ("bfloat16" in precisions)


@pytest.mark.skipif(sys.platform != "linux", reason="affinity is Linux's")
def test_on_linux_cores_that_are_taken_from_the_process_do_not_count() -> None:
    count = "import os; from contract import processor; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    done = subprocess.run(
        [sys.executable, "-c", count + "print(processor.usable_cores())"], cwd=ROOT, capture_output=True
    )

    assert done.stdout == b"1\n", done.stderr


def test_elsewhere_all_cores_of_the_machine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)

    assert processor.usable_cores() == 8


def test_no_other_module_asks_what_only_linux_answers() -> None:
    sources = {path for package in PRODUCTS for path in (ROOT / package).rglob("*.py")}
    asking = {
        str(path.relative_to(ROOT))
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if any(word in said(node) for word in LINUX_ONLY)
    }

    assert asking == {"contract/processor.py", *MEASURES_AS_LINUX_DOES}


def said(node: ast.AST) -> str:
    """What the node names, if it is an attribute or a string."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
