"""Tensors of the Open Inference Protocol: as JSON, or as bytes behind the JSON (its binary tensor data extension).

Bytes are little-endian and in row-major order; an element of type BYTES is its length, of four bytes, and itself. A
message with bytes says in `Inference-Header-Content-Length` where its JSON ends, and each tensor of it, in the order of
the JSON, how many bytes are its own.
https://github.com/kserve/open-inference-protocol and, for the extension, Triton's extension_binary_data.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from flask import Request

from api.http.problems import FieldError, Problem, invalid

HEADER = "Inference-Header-Content-Length"
JSON, BINARY = "application/json", "application/octet-stream"
LENGTH = struct.Struct("<I")
LONGEST_HEADER = 10
"""Digits of a length that any body could have."""

DataType = Literal["BOOL", "INT32", "FP32", "BYTES"]
FORMATS: Mapping[DataType, str] = {"BOOL": "?", "INT32": "i", "FP32": "f"}
"""As `struct` names the types whose elements have a fixed size."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A named array: its elements, flat and in row-major order, are as many as its shape says."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]
    values: Sequence[Any]

    def as_bytes(self) -> bytes:
        """The elements as the binary extension lays them."""
        if self.datatype == "BYTES":
            return b"".join(LENGTH.pack(len(text)) + text for text in (value.encode() for value in self.values))
        return struct.pack(f"<{len(self.values)}{FORMATS[self.datatype]}", *self.values)


def check_type(request: Request) -> None:
    """Raises Problem for what is no message of the protocol.

    Its clients name JSON, or bytes, or nothing. A page in a browser that names nothing is refused: browsers let any
    page send such a body to any address unasked, and it would be a job.
    """
    named = request.mimetype
    if named not in ("", JSON, BINARY) or (not named and "Origin" in request.headers):
        raise Problem(
            "unsupported-media-type",
            f"the body is {named or 'of no stated type'}; send it as {JSON}, or as {BINARY} with {HEADER}",
            headers={"Accept": f"{JSON}, {BINARY}"},
        )


def json_length(request: Request, size: int) -> int:
    """How many of the body's `size` bytes are its JSON. Raises Problem for a header that says nonsense."""
    given = request.headers.get(HEADER)
    if given is None:
        return size
    found = int(given) if given.isascii() and given.isdigit() and len(given) <= LONGEST_HEADER else -1
    if not 0 <= found <= size:
        raise invalid(FieldError("header", HEADER, f"the length of the body's JSON, from 0 to {size} bytes"))
    return found


def texts(data: bytes | bytearray, where: str) -> list[str]:
    """The elements of a BYTES tensor, as texts. Raises Problem, which points to `where` and the element's number."""
    found = []
    for number, element in enumerate(_elements(memoryview(data), where)):
        try:
            found.append(str(element, "utf-8"))
        except UnicodeDecodeError as error:
            raise invalid(FieldError("pointer", f"{where}/{number}", f"is no UTF-8: {error.reason}")) from None
    return found


def _elements(data: memoryview, where: str) -> Iterator[memoryview]:
    start = 0
    while start < len(data):
        if start + LENGTH.size > len(data):
            raise invalid(FieldError("pointer", where, f"ends within the length of an element, at byte {start}"))
        (length,) = LENGTH.unpack_from(data, start)
        start += LENGTH.size
        if start + length > len(data):
            raise invalid(
                FieldError("pointer", where, f"ends within an element of {length} bytes, which begins at byte {start}")
            )
        yield data[start : start + length]
        start += length


def documents(tensors: Iterable[Tensor], binary: Iterable[bool]) -> tuple[list[dict[str, Any]], bytes]:
    """The tensors as an answer lists them, and the bytes behind its JSON of those that `binary` says."""
    listed, behind = [], []
    for tensor, as_bytes in zip(tensors, binary, strict=True):
        document: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
        if as_bytes:
            behind.append(tensor.as_bytes())
            document["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            document["data"] = list(tensor.values)
        listed.append(document)
    return listed, b"".join(behind)
