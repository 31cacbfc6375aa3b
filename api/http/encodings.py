"""Bodies that come compressed (RFC 9110, 8.4): undone part by part, under bounds that a bomb can't pass."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Protocol, cast

import zstandard

from api.http.problems import Problem

PART_BYTES = 2**16
"""What comes out at once."""
READ_BYTES = 2**14
"""What is read at once of something compressed, all of which counts as gone in before the first of it comes out."""
MOST_RATIO = 100
"""So many bytes may come out of one. Texts in JSON come to some 3 to 20."""
CREDIT_BYTES = 2**21
"""So much more may come out at any moment, however little went in. It is not saved up, so that an innocent beginning
allows nothing at the end."""
MOST_MEMBERS = 1000
"""Parts that a gzip is put together of: an empty one takes twenty bytes, and much longer than those."""
WINDOW_BYTES = 2**23
"""What a zstd may look back on, by RFC 9659."""
MOST_S = 2.0
"""CPU seconds that one body may take to undo. The largest honest one takes a tenth of a second."""
GZIP = 31
"""zlib's number for gzip's format."""


class ByteSource(Protocol):
    """What bytes can be read from, until none come."""

    def read(self, size: int, /) -> bytes: ...


class BadEncoding(ValueError):
    """The bytes are not in the encoding that they claim."""


class CountedSource:
    """A source, how many bytes it has given, and how much CPU time went by in it: others run while it waits."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self.count = 0
        self.spent_s = 0.0

    def read(self, size: int, /) -> bytes:
        started = time.thread_time()
        part = self._source.read(size)
        self.spent_s += time.thread_time() - started
        self.count += len(part)
        return part


def _plain(source: CountedSource) -> Iterator[bytes]:
    while part := source.read(PART_BYTES):
        yield part


def _gunzipped(source: CountedSource) -> Iterator[bytes]:
    members, inflater, rest = 1, zlib.decompressobj(GZIP), b""
    while True:
        data = rest or source.read(READ_BYTES)
        if inflater.eof:
            if not data:
                return
            if (members := members + 1) > MOST_MEMBERS:
                raise BadEncoding(f"it is put together of more than {MOST_MEMBERS} parts")
            inflater = zlib.decompressobj(GZIP)
        try:
            part = inflater.decompress(data, PART_BYTES)
        except zlib.error as error:
            raise BadEncoding(str(error)) from error
        if not (data or part or inflater.eof):
            raise BadEncoding("it is cut off")
        rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        yield part


def _unzstd(source: CountedSource) -> Iterator[bytes]:
    """One that is cut off gives what there is: its JSON is cut off, too, and refused for that."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES)
    reader = decompressor.stream_reader(cast("IO[bytes]", source), read_size=READ_BYTES, read_across_frames=True)
    try:
        while part := reader.read(PART_BYTES):
            yield part
    except zstandard.ZstdError as error:
        raise BadEncoding(str(error)) from error


DECODERS: Mapping[str, Callable[[CountedSource], Iterator[bytes]]] = {
    "identity": _plain, "gzip": _gunzipped, "x-gzip": _gunzipped, "zstd": _unzstd,
}  # fmt: skip
OFFERED = "gzip, zstd"


def decoded(source: CountedSource, encoding: str, most_bytes: int) -> Iterator[bytes]:
    """What was compressed, in parts of PART_BYTES at most. Raises Problem at the first byte beyond a bound."""
    if (decoder := DECODERS.get(encoding)) is None:
        raise Problem(
            "unsupported-media-type",
            f"Content-Encoding {encoding!r}: send the body as it is, or as one of {OFFERED}",
            headers={"Accept-Encoding": OFFERED},
        )
    if encoding == "identity":
        yield from _plain(source)
        return
    parts, came_out, spent_s = decoder(source), 0, 0.0
    credit, went_in = CREDIT_BYTES, 0
    while True:
        before_s = time.thread_time() - source.spent_s
        try:
            part = next(parts, None)
        except BadEncoding as error:
            raise Problem("bad-request", f"the body is no {encoding}: {error}") from error
        if part is None:
            return
        spent_s += time.thread_time() - source.spent_s - before_s
        came_out += len(part)
        credit = min(credit + MOST_RATIO * (source.count - went_in), CREDIT_BYTES) - len(part)
        went_in = source.count
        if came_out > most_bytes:
            raise Problem("too-large", f"more than {most_bytes} bytes come out of the body")
        if credit < 0:
            raise Problem("too-large", f"more than {MOST_RATIO} bytes come out of one of the body's: send it as it is")
        if spent_s > MOST_S:
            raise Problem("too-large", f"the body takes more than {MOST_S:g} s to undo: send it as it is")
        yield part
