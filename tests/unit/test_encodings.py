"""Compressed bodies: what honest ones hold comes out, and of the others next to nothing."""

from __future__ import annotations

import gzip
import io
import random
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from api.http.encodings import CountedSource, decoded
from api.http.problems import Problem
from harness.bombs import MiB, bombs

MOST_BYTES = 16 * MiB
BOMBS = bombs()
WORDS = random.Random(0)
TEXTS = " ".join(WORDS.choice(["loop", "list", "join", "null", "div", "css"]) for _ in range(60_000)).encode()


def undone(encoding: str, body: bytes, most: int = MOST_BYTES) -> bytes:
    return b"".join(decoded(CountedSource(io.BytesIO(body)), encoding, most))


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "a gzip in a gzip"])
def test_a_bomb_is_refused_before_much_comes_out_of_it(name: str) -> None:
    encoding, body = BOMBS[name]
    sizes: list[int] = []
    parts = decoded(CountedSource(io.BytesIO(body)), encoding, MOST_BYTES)
    with pytest.raises(Problem) as refused:
        sizes.extend(map(len, parts))
    assert refused.value.kind in ("too-large", "bad-request")
    assert sum(sizes) <= 5 * MiB


def test_what_is_compressed_twice_is_undone_once() -> None:
    encoding, body = BOMBS["a gzip in a gzip"]
    assert undone(encoding, body) == gzip.decompress(body)


def test_there_are_twenty_bombs_all_of_them_small() -> None:
    assert len(BOMBS) >= 20
    assert all(len(body) < MiB for name, (_, body) in BOMBS.items() if name != "many empty parts")


@given(st.binary(max_size=200_000), st.sampled_from(["gzip", "x-gzip", "zstd", "identity"]), st.integers(0, 9))
def test_what_was_compressed_comes_out_whole(data: bytes, encoding: str, level: int) -> None:
    bodies = {
        "gzip": lambda: gzip.compress(data, level),
        "x-gzip": lambda: gzip.compress(data[:5], level) + gzip.compress(data[5:], level),
        "zstd": lambda: zstandard.ZstdCompressor(level=level).compress(data),
        "identity": lambda: data,
    }
    assert undone(encoding, bodies[encoding]()) == data


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_texts_of_the_greatest_size_come_out_whole_and_one_byte_more_does_not(encoding: str) -> None:
    body = gzip.compress(TEXTS) if encoding == "gzip" else zstandard.ZstdCompressor(19).compress(TEXTS)
    assert undone(encoding, body, len(TEXTS)) == TEXTS
    with pytest.raises(Problem, match=f"more than {len(TEXTS) - 1} bytes come out"):
        undone(encoding, body, len(TEXTS) - 1)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b"no gzip"),
        ("gzip", b""),
        ("gzip", gzip.compress(TEXTS)[:-1]),
        ("gzip", gzip.compress(TEXTS)[:1000]),
        ("gzip", gzip.compress(b"a") + b"rubbish"),
        ("gzip", zlib.compress(b"a")),
        ("zstd", b"no zstd"),
        ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress(TEXTS)[:-4] + b"sums"),
    ],
    ids=lambda value: (
        value if isinstance(value, str) else ""
    ),  # a compressed body holds the time, and would give each process tests of other names
)
def test_what_is_damaged_is_refused(encoding: str, body: bytes) -> None:
    with pytest.raises(Problem, match=f"the body is no {encoding}"):
        undone(encoding, body)


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, zstd", "compress"])
def test_another_encoding_is_refused_with_those_that_are_offered(encoding: str) -> None:
    with pytest.raises(Problem) as refused:
        undone(encoding, b"")
    assert refused.value.kind == "unsupported-media-type"
    assert refused.value.headers == {"Accept-Encoding": "gzip, zstd"}


def test_time_that_passes_while_more_is_awaited_is_not_the_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal now
            now += 100
            return super().read(size)

    monkeypatch.setattr("api.http.encodings.time.thread_time", lambda: now)
    for encoding, body in (("gzip", gzip.compress(TEXTS)), ("zstd", zstandard.ZstdCompressor().compress(TEXTS))):
        assert b"".join(decoded(CountedSource(Slow(body)), encoding, MOST_BYTES)) == TEXTS


def test_a_body_that_takes_too_long_to_undo_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1, 1_000_000))
    monkeypatch.setattr("api.http.encodings.time.thread_time", lambda: float(next(clock)))
    with pytest.raises(Problem, match="takes more than 2 s to undo"):
        undone("gzip", gzip.compress(TEXTS))
