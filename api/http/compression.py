"""Answers as gzip or zstd, for who asks for it (`Accept-Encoding`): whole ones at once, streams piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard
from flask import Flask, Response, request

KINDS = (
    *("application/json", "application/problem+json", "application/x-ndjson"),
    *("text/csv", "text/plain", "application/octet-stream"),
)
"""What texts, labels and numbers are answered as. Files have encodings of their own."""
LEAST_BYTES = 1000
"""A shorter answer fits into a packet as it is, and gains nothing."""
LEVEL = 1
"""Of both encodings: what is asked for in a hurry is not made small at leisure."""
OF_WHOLE, OF_STREAMS = ("zstd", "gzip", "identity"), ("gzip", "zstd", "identity")
"""Which encoding goes first where a client likes both: the faster one, or the one that holds less while it waits."""
GZIP, SMALL_GZIP, SMALL_MEMORY = 31, 28, 5
"""zlib's numbers for gzip's format, for the same with a window of 4 KiB, and for tables that fit it: 32 KiB in all."""
SMALL_ZSTD = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=15, hash_log=12, chain_log=12)
"""165 KiB, a third of what the level takes by itself."""


class Compressor(Protocol):
    """What both encodings' compressors can do."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def install(app: Flask) -> None:
    """Compress every answer that is long enough to be worth it."""

    @app.after_request
    def compress(response: Response) -> Response:
        if response.mimetype not in KINDS or response.direct_passthrough or "Content-Encoding" in response.headers:
            return response
        if not response.is_streamed and len(response.get_data()) < LEAST_BYTES:
            return response
        response.vary.add("Accept-Encoding")
        offered = OF_STREAMS if response.is_streamed else OF_WHOLE
        encoding = request.accept_encodings.best_match(offered, default="identity")
        if encoding == "identity":
            return response
        if response.is_streamed:
            response.content_encoding = encoding
            response.call_on_close(getattr(response.response, "close", lambda: None))
            response.response = _pieces(response.iter_encoded(), encoding)
        else:
            response.content_encoding = encoding
            response.set_data(_compressed(response.get_data(), encoding))
        return response


def _compressed(whole: bytes, encoding: str) -> bytes:
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=LEVEL).compress(whole)
    compressor = zlib.compressobj(LEVEL, wbits=GZIP)
    return compressor.compress(whole) + compressor.flush()


def _pieces(found: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Each piece can be read as soon as it has come."""
    compressor, to_here = _stream_compressor(encoding)
    for piece in found:
        if piece:
            yield compressor.compress(piece) + compressor.flush(to_here)
    yield compressor.flush()


def _stream_compressor(encoding: str) -> tuple[Compressor, int]:
    """A compressor, and the mode of its flush after which all that went in can be read."""
    if encoding == "zstd":
        compressor = zstandard.ZstdCompressor(compression_params=SMALL_ZSTD).compressobj()
        return compressor, zstandard.COMPRESSOBJ_FLUSH_BLOCK
    return zlib.compressobj(LEVEL, wbits=SMALL_GZIP, memLevel=SMALL_MEMORY), zlib.Z_SYNC_FLUSH
