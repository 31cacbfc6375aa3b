"""Small bodies out of which much comes, or which take long to undo: each made in another way."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Mapping

import zstandard

MiB = 2**20
SIZE = 32 * MiB
"""What comes out of most of them."""
SKIPPABLE = struct.pack("<II", 0x184D2A50, 8) + bytes(8)


def _deflated(pieces: Iterator[bytes], *, level: int = 9, wbits: int = 31) -> bytes:
    compressor = zlib.compressobj(level, wbits=wbits)
    return b"".join(map(compressor.compress, pieces)) + compressor.flush()


def _zstd(pieces: Iterator[bytes], *, level: int = 3, **parameters: int) -> bytes:
    given = zstandard.ZstdCompressionParameters.from_level(level, **parameters)
    compressor = zstandard.ZstdCompressor(compression_params=given).compressobj()
    return b"".join(map(compressor.compress, pieces)) + compressor.flush()


def _repeated(piece: bytes, size: int = SIZE) -> Iterator[bytes]:
    block = piece * (MiB // len(piece))
    return (block for _ in range(size // MiB))


def _in_json(start: bytes, piece: bytes) -> Iterator[bytes]:
    yield start
    yield from _repeated(piece)


def _empty_member() -> bytes:
    return gzip.compress(b"", mtime=0)


def _frame_that_claims(size: int) -> bytes:
    """A zstd frame whose header promises `size` bytes, and one block of 128 KiB of zeros as often as it takes."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0xC0, 0x58]) + struct.pack("<Q", size)
    run = 2**17
    block = struct.pack("<I", (run << 3) | (1 << 1))[:3] + b"\0"
    return head + block * (SIZE // run)


def _window_of(log: int) -> bytes:
    """A zstd frame that wants to look back on 2**log bytes."""
    run = 2**17
    block = struct.pack("<I", (run << 3) | (1 << 1))[:3] + b"\0"
    return b"\x28\xb5\x2f\xfd" + bytes([0x00, (log - 10) << 3]) + block * 2000


def bombs() -> Mapping[str, tuple[str, bytes]]:
    """Encoding and body of each by what it is made of."""
    zeros = _deflated(_repeated(b"\0"))
    texts = b'{"texts": ["'
    random = zlib.compress(json.dumps(list(range(100_000))).encode(), 1)
    return {
        "zeros": ("gzip", zeros),
        "zeros, fast": ("gzip", _deflated(_repeated(b"\0"), level=1)),
        "one long text": ("gzip", _deflated(_in_json(texts, b"a"))),
        "many texts": ("gzip", _deflated(_in_json(texts, b'a", "'))),
        "many empty lists": ("gzip", _deflated(_in_json(b"[", b"[],"))),
        "deep lists": ("gzip", _deflated(_repeated(b"["))),
        "white space before the end": ("gzip", _deflated(_in_json(b'{"texts": ["a"]}', b" "))),
        "two halves": ("gzip", _deflated(_repeated(b"\0", SIZE // 2)) * 2),
        "many small parts": ("gzip", gzip.compress(bytes(10_000), mtime=0) * 5000),
        "many empty parts": ("gzip", _empty_member() * 20_000),
        "an innocent beginning": ("gzip", gzip.compress(random, mtime=0) + zeros),
        "a gzip in a gzip": ("gzip", gzip.compress(zeros, mtime=0)),
        "x-gzip": ("x-gzip", zeros),
        "zstd zeros": ("zstd", _zstd(_repeated(b"\0"))),
        "zstd zeros, ultra": ("zstd", _zstd(_repeated(b"\0"), level=19)),
        "zstd texts": ("zstd", _zstd(_in_json(texts, b'a", "'))),
        "zstd, a window of a GiB": ("zstd", _window_of(30)),
        "zstd, a window of 64 MiB": ("zstd", _zstd(_repeated(b"\0"), window_log=26, enable_ldm=True)),
        "zstd, a claim of an EiB": ("zstd", _frame_that_claims(2**60)),
        "zstd, many frames": ("zstd", _zstd(_repeated(b"\0", MiB)) * 500),
        "zstd behind skipped frames": ("zstd", SKIPPABLE * 10_000 + _zstd(_repeated(b"\0"))),
    }
