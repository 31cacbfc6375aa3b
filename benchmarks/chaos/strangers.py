"""`python -m benchmarks.chaos.strangers PORT JOB CONNECTIONS SECONDS SEED`: ten kinds of clients that behave badly.

Each holds one connection as long as its kind does, or as the service lets it, then makes the next one. Loopback only.
Prints how many connections of each kind were made, as JSON. JOB is the id of a job that does not end.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

HOST = "127.0.0.1"
DWELL_S = (2.0, 6.0)
"""How long one who drops a request waits before, and everybody between two connections."""
DRIP_S = 1.0
LARGE, LITTLE = 200_000, 4096
"""Bytes of a stalled body, and of the buffer of who reads."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: a close that resets the connection."""
POLITE = 10
"""The crowd would be elsewhere: it must not take its time from those beside whom it runs."""
Kind = Callable[["Stranger"], Awaitable[None]]


@dataclass
class Stranger:
    """One open connection, and what its kind needs to know."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    job: str
    rng: random.Random

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def dwell(self) -> None:
        await asyncio.sleep(self.rng.uniform(*DWELL_S))

    async def until_closed(self) -> None:
        while await self.reader.read(65536):
            pass


def _get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {HOST}", *headers, "", ""]).encode()


def _post(size: int) -> bytes:
    lines = ["POST /predict HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", f"Content-Length: {size}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def idle(one: Stranger) -> None:
    """Say nothing: before the first request, or after it."""
    if one.rng.random() < 0.5:
        await one.send(_get("/health/live"))
    await one.until_closed()


async def slow_header(one: Stranger) -> None:
    await _drip(one, _get("/models", f"X-Slow: {'a' * 1000}"))


async def slow_body(one: Stranger) -> None:
    await one.send(_post(10_000))
    await _drip(one, b'{"texts": ["' + b"a" * 9_000)


async def stalled_body(one: Stranger) -> None:
    await one.send(_post(2 * LARGE) + b'{"texts": ["' + b"a" * LARGE)
    await one.until_closed()


async def closed_early(one: Stranger) -> None:
    """Ask, and reset the connection before the answer."""
    await one.send(_get(f"/jobs/{one.job}"))
    one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


async def half_closed(one: Stranger) -> None:
    await one.send(_get(f"/jobs/{one.job}?wait=60"))
    one.writer.write_eof()
    await one.until_closed()


async def stream_dropped(one: Stranger) -> None:
    await one.send(_get(f"/jobs/{one.job}/results", "Accept: application/x-ndjson"))
    await one.dwell()


async def wait_dropped(one: Stranger) -> None:
    await one.send(_get(f"/jobs/{one.job}?wait=60"))
    await one.dwell()


async def never_reads(one: Stranger) -> None:
    """Ask for more than the sockets hold, and read nothing of it."""
    one.writer.transport.pause_reading()  # type: ignore[attr-defined]
    one.writer.write(_get("/openapi.json") * 4)
    await asyncio.sleep(60)


async def garbage(one: Stranger) -> None:
    await one.send(
        one.rng.choice([b"GET / HTTP/9.9\r\n\r\n", one.rng.randbytes(300) + b"\r\n\r\n", b"\x16\x03\x01\x02\x00"])
    )
    await one.dwell()


async def _drip(one: Stranger, data: bytes) -> None:
    for byte in data:
        await one.send(bytes([byte]))
        await asyncio.sleep(DRIP_S)


KINDS: tuple[Kind, ...] = (
    idle, slow_header, slow_body, stalled_body, closed_early, half_closed, stream_dropped, wait_dropped, never_reads,
    garbage,
)  # fmt: skip


async def crowd(port: int, job: str, connections: int, seconds: float, seed: int) -> Counter[str]:
    """Connections made of each kind, and `refused` ones, in so many seconds with so many at a time."""
    made: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        end = asyncio.get_running_loop().time() + seconds
        for number in range(connections):
            rng = random.Random(f"{seed}/{number}")
            group.create_task(_repeat(KINDS[number % len(KINDS)], partial(_connect, port, job, rng), rng, end, made))
    return made


async def _repeat(
    kind: Kind, connect: Callable[[], Awaitable[Stranger]], rng: random.Random, end: float, made: Counter[str]
) -> None:
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(rng.uniform(0, DWELL_S[1]))  # they do not all come in one moment
    with suppress(TimeoutError):
        async with asyncio.timeout_at(end):
            while clock() < end:
                await _behave(kind, connect, made)
                await asyncio.sleep(rng.uniform(*DWELL_S))


async def _behave(kind: Kind, connect: Callable[[], Awaitable[Stranger]], made: Counter[str]) -> None:
    try:
        one = await connect()
    except OSError:
        made["refused"] += 1
        return
    made[kind.__name__] += 1
    try:
        with suppress(OSError):  # the service has hung up
            await kind(one)
    finally:
        one.writer.transport.abort() if kind is never_reads else one.writer.close()


async def _connect(port: int, job: str, rng: random.Random) -> Stranger:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LITTLE)  # so that little is on its way unread
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (HOST, port))
    return Stranger(*await asyncio.open_connection(sock=connection), job, rng)


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.nice(POLITE)
    port, job, connections, seconds, seed = sys.argv[1:]
    print(json.dumps(asyncio.run(crowd(int(port), job, int(connections), float(seconds), int(seed)))))


if __name__ == "__main__":
    main()
