from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from contract.errors import BadModel
from encoders.tensors import check_tensors, read_tensors

BFLOAT16_BITS = np.array([0x3F80, 0xC000, 0x4049, 0x0000], np.uint16)
"""1, -2, 3.140625 and 0: the upper halves of these numbers as float32."""


def write_bfloat16(path: Path) -> None:
    header = {"a": {"dtype": "BF16", "shape": [2, 2], "data_offsets": [0, 8]}}
    header["n"] = {"dtype": "I64", "shape": [1], "data_offsets": [8, 16]}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + BFLOAT16_BITS.tobytes() + np.int64(7).tobytes())


def test_bfloat16_is_read_as_the_float32_that_it_stands_for(tmp_path: Path) -> None:
    write_bfloat16(tmp_path / "w")

    tensors = read_tensors(tmp_path / "w")

    assert tensors["a"].dtype == np.float32
    assert tensors["a"].tolist() == [[1.0, -2.0], [3.140625, 0.0]]
    assert tensors["n"].tolist() == [7]


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"\x10\0\0\0\0\0\0\0{}"], ids=["empty", "pickle", "cut"])
def test_a_file_that_is_no_safetensors_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)

    with pytest.raises(BadModel, match=str(tmp_path / "w")):
        read_tensors(tmp_path / "w")


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    save_file({"a": np.zeros(100, np.float32)}, tmp_path / "w")
    (tmp_path / "w").write_bytes((tmp_path / "w").read_bytes()[:-4])

    with pytest.raises(BadModel, match="w: "):
        read_tensors(tmp_path / "w")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ({}, "lacks a$"),
        ({"a": np.zeros((2, 3)), "b": np.zeros(1)}, "has b, which its configuration does not$"),
        ({"a": np.zeros((3, 2))}, r"a is \[3, 2\], expected \[2, 3\]$"),
        ({"a": np.zeros((2, 3), np.int64)}, "a is int64, expected floating point$"),
        ({f"b{n}": np.zeros(1) for n in range(9)}, "has b4, which its configuration does not and 5 more$"),
    ],
)
def test_every_tensor_is_accounted_for(found: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadModel, match=complaint):
        check_tensors(found, {"a": (2, 3)}, Path("weights"))


def test_half_precision_becomes_float32() -> None:
    checked = check_tensors({"a": np.ones(2, np.float16)}, {"a": (2,)}, Path("weights"))

    assert checked["a"].dtype == np.float32
