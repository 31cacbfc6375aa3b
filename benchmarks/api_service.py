"""What the HTTP side alone costs: `python -m benchmarks.api_service` prints a table.

A stand-in answers the texts, so that no model takes the machine: hundreds of waiting clients beside probes and polls, a
job of 20,000 texts beside short questions, and the CPU time of a single-text request.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx
import psutil

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker
from harness.redis_server import RedisServer
from harness.running_service import RunningService

WAITING, PROBES, BULK, SINGLES, CONNECTIONS = 500, 300, 20_000, 3000, 64
CHUNK_S = 0.02
"""Seconds that the stand-in takes for a chunk of 64 texts: 3,200 texts a second."""

Row = tuple[str, str]


def answer_texts(redis_url: str, pause_s: float) -> None:
    """The stand-in, in a process of its own."""
    with AnsweringWorker(ApiSettings(redis_url=redis_url), texts_per_s=64 / CHUNK_S) as worker:
        worker.pause_s = pause_s
        Event().wait()


@contextmanager
def stand_in(redis_url: str, pause_s: float) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(target=answer_texts, args=(redis_url, pause_s), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def percentiles(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100)
    return f"p50 {cuts[49] * 1000:.1f} ms, p95 {cuts[94] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


def timed(call: Callable[[], httpx.Response]) -> float:
    begun = time.perf_counter()
    call().raise_for_status()
    return time.perf_counter() - begun


def waiting_clients(service: RunningService, client: httpx.Client) -> Iterator[Row]:
    """Nobody answers, so that every client waits while probes and polls go on."""
    body = json.dumps({"texts": ["a"]})
    request = (
        f"POST /predict?wait=60 HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    idle = [timed(lambda: client.get("/health/live")) for _ in range(PROBES)]
    connections = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(WAITING)]
    for connection in connections:
        connection.sendall(request.encode())
    job = client.post("/predict?wait=0", json={"texts": ["a"]}).json()["id"]
    time.sleep(2)
    probes = [timed(lambda: client.get("/health/live")) for _ in range(PROBES)]
    polls = [timed(lambda: client.get(f"/jobs/{job}")) for _ in range(PROBES)]
    for connection in connections:
        connection.close()
    yield "`/health/live`, nobody waiting", percentiles(idle)
    yield f"`/health/live`, {WAITING} clients waiting", percentiles(probes)
    yield f"poll of a job, {WAITING} clients waiting", percentiles(polls)


def big_job(service: RunningService, client: httpx.Client) -> Iterator[Row]:
    """20,000 texts are posted and their results read, while others ask short questions."""
    api = psutil.Process(service.api.pid).children()[0]
    texts = [f"text number {n} of a big job about pointers and loops" for n in range(BULK)]
    alone = [timed(lambda: client.post("/predict", json={"texts": ["a"]})) for _ in range(PROBES)]
    before = api.memory_info().rss
    begun = time.perf_counter()
    accepted = client.post("/predict", json={"texts": texts}, headers={"Prefer": "respond-async"})
    posted = time.perf_counter() - begun
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read_stream, service, accepted.headers["Location"], api)
        beside = []
        while not reading.done():
            beside.append(timed(lambda: client.post("/predict", json={"texts": ["a"]})))
        first, total, peak = reading.result()
    yield f"{BULK:,} texts accepted", f"{posted:.2f} s"
    yield "first line of their results, after acceptance", f"{first:.2f} s"
    yield "last line", f"{total:.2f} s"
    yield "memory of the API, before and at most", f"{before / 2**20:.0f} and {peak / 2**20:.0f} MiB"
    yield "short questions, alone", percentiles(alone)
    yield "short questions, beside the big job", percentiles(beside)


def read_stream(service: RunningService, location: str, api: psutil.Process) -> tuple[float, float, int]:
    """Seconds to the first and to the last line, and the most memory that the API held."""
    begun, first, peak, lines = time.perf_counter(), 0.0, 0, 0
    headers = {"Accept": "application/x-ndjson"}
    with httpx.stream("GET", f"{service.url}{location}/results", headers=headers, timeout=60) as stream:
        for part in stream.iter_bytes():
            first = first or time.perf_counter() - begun
            lines += part.count(b"\n")
            peak = max(peak, api.memory_info().rss)
    if lines != BULK:
        raise RuntimeError(f"{lines} lines for {BULK} texts")
    return first, time.perf_counter() - begun, peak


def cost_of_a_question(service: RunningService) -> Iterator[Row]:
    """Single texts over many connections."""
    processes = [psutil.Process(service.api.pid), *psutil.Process(service.api.pid).children()]

    def cpu() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def ask(number: int) -> float:
        return timed(lambda: clients[number % CONNECTIONS].post("/predict", json={"texts": [f"question {number}"]}))

    clients = [httpx.Client(base_url=service.url, timeout=60) for _ in range(CONNECTIONS)]
    before, begun = cpu(), time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        seconds = list(pool.map(ask, range(SINGLES)))
    rate = SINGLES / (time.perf_counter() - begun)
    yield f"single texts, {CONNECTIONS} connections", f"{rate:.0f} a second, {percentiles(seconds)}"
    yield "CPU of the API for each", f"{(cpu() - before) / SINGLES * 1000:.2f} ms"


def main() -> None:
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisServer(Path(folder)) as redis,
        RunningService(Path(folder), "default", redis=redis, workers=0) as service,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        rows += waiting_clients(service, client)
        with stand_in(redis.url, CHUNK_S):
            client.post("/predict?wait=60", json={"texts": ["the stand-in has started"]})
            rows += big_job(service, client)
        with stand_in(redis.url, 0):
            client.post("/predict?wait=60", json={"texts": ["the stand-in has started"]})
            rows += cost_of_a_question(service)
    print("| what | measured |\n| --- | --- |")
    for row in rows:
        print(f"| {row[0]} | {row[1]} |")


if __name__ == "__main__":
    main()
