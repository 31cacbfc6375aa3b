"""Bytes of a table to text: gzip and the encoding are told from the bytes, and what was told is noted."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import BinaryIO, cast

HEAD = 1 << 16
"""Bytes from which delimiter and encoding are told; the encoding of a file that can be read twice, from all of it."""
GZIP = b"\x1f\x8b"
BROKEN_GZIP = (EOFError, gzip.BadGzipFile, zlib.error)
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def unpacked(source: BinaryIO, notes: list[str]) -> BinaryIO:
    """The stream, or what it holds where it is of gzip."""
    if not head(source).startswith(GZIP):
        return source
    notes.append("gzip")
    return cast(BinaryIO, gzip.GzipFile(fileobj=source))


def known_encoding(name: str) -> str:
    """Python's own name of an encoding; UTF-8 may begin with a byte order mark. Raises ValueError."""
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise ValueError(str(error)) from error
    return "utf-8-sig" if found == "utf-8" else found


def told_encoding(source: BinaryIO, notes: list[str]) -> str:
    """What a byte order mark says, UTF-16 by its zeros, UTF-8 where that fits all of it, else cp1252."""
    first = head(source)
    marked = next((encoding for mark, encoding in MARKS if first.startswith(mark)), None)
    if marked:
        notes.append(f"{marked.removesuffix('-sig')} with a byte order mark")
        return marked
    found = _unmarked_utf_16(first) or ("utf-8" if _is_utf_8(source, first) else "cp1252")
    if found != "utf-8":
        notes.append(f"not utf-8, read as {found}")
    return found


def head(source: BinaryIO) -> bytes:
    """The first bytes, left where they are."""
    if not source.seekable():
        return cast(io.BufferedReader, source).peek(HEAD)
    head = source.read(HEAD)
    source.seek(0)
    return head


def _unmarked_utf_16(first: bytes) -> str | None:
    """Every second byte of mostly Latin text is 0 there."""
    for encoding, zeros in (("utf-16-le", first[1::2]), ("utf-16-be", first[::2])):
        if zeros and zeros.count(0) > 0.4 * len(zeros):
            return encoding
    return None


def _is_utf_8(source: BinaryIO, first: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(first)
        if source.seekable():
            decoder.reset()
            for chunk in iter(lambda: source.read(HEAD), b""):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        if source.seekable():
            source.seek(0)
    return True
