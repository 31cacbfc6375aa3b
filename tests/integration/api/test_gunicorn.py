"""The API in its own process, over real sockets."""

from __future__ import annotations

import json
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import redis

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker, answer_document
from harness.redis_server import RedisServer
from harness.running_service import RunningService
from harness.until import until

CLIENTS = 500
LONG_S = 300
"""Longer than hundreds of requests take to begin on a busy machine."""
JSON_HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def api_alone(redis_server: RedisServer, folder: Path, **settings: Any) -> RunningService:
    return RunningService(folder, "default", redis=redis_server, folder=folder, workers=0, **settings)


@pytest.fixture(scope="module")
def service(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with api_alone(
        redis_server, tmp_path_factory.mktemp("api"), max_body_bytes=1_000_000, max_wait_s=LONG_S
    ) as service:
        yield service


@pytest.fixture
def worker(store: redis.Redis, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    assert store.ping()
    with AnsweringWorker(settings, held=True) as worker:
        yield worker


@contextmanager
def sent(service: RunningService, request: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", service.port), timeout=60) as connection:
        connection.sendall(request)
        yield connection


def raw(service: RunningService, request: bytes) -> httpx.Response:
    """The answer to bytes as they are; the sending side is closed after them."""
    with sent(service, request) as connection:
        with suppress(OSError):  # the service may have hung up already
            connection.shutdown(socket.SHUT_WR)
        return read(connection)


def read(connection: socket.socket) -> httpx.Response:
    """One answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += (more := connection.recv(65536))
        if not more:
            raise ConnectionError(f"closed after {received!r}")
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines])  # type: ignore[arg-type]
    while len(body) < int(headers["Content-Length"]):
        body += connection.recv(65536)
    return httpx.Response(int(first.split()[1]), headers=headers, content=body)


def post(text: str, *headers: str, path: str = "/predict") -> bytes:
    body = json.dumps({"texts": [text]})
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, *headers, "", body]).encode()


def ndjson_of(job: str) -> bytes:
    return f"GET /jobs/{job}/results HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n".encode()


@pytest.mark.timeout(2 * LONG_S)
def test_hundreds_of_waiting_clients_delay_nobody_and_get_their_own_answers(
    service: RunningService, worker: AnsweringWorker
) -> None:
    waiting = [socket.create_connection(("127.0.0.1", service.port), timeout=LONG_S) for _ in range(CLIENTS)]
    for number, connection in enumerate(waiting):
        connection.sendall(post(f"text {number}", f"Prefer: wait={LONG_S}"))
    with httpx.Client(base_url=service.url, timeout=60) as client:
        until(lambda: in_flight(client) > CLIENTS, LONG_S, pause_s=0.05)
        job = client.post("/predict?wait=0", json={"texts": ["mine"]}).json()["id"]
        probes = [timed(client, "/health/live") for _ in range(100)]
        polls = [timed(client, f"/jobs/{job}") for _ in range(100)]
    worker.go.set()
    found = [read(connection).json()["predictions"] for connection in waiting]
    for connection in waiting:
        connection.close()
    assert found == [[answer_document(f"text {number}")] for number in range(CLIENTS)]
    # Far less than they wait; tests share the machine, and benchmarks/api_service.py measures.
    assert statistics.median(probes) < 0.5
    assert statistics.median(polls) < 0.5


def in_flight(client: httpx.Client) -> float:
    [line] = [
        line for line in client.get("/metrics").text.splitlines() if line.startswith("retort_http_requests_in_flight ")
    ]
    return float(line.split()[1])


def timed(client: httpx.Client, path: str) -> float:
    begun = time.perf_counter()
    assert client.get(path).status_code == 200
    return time.perf_counter() - begun


@pytest.mark.parametrize(
    ("name", "request_bytes", "status", "kind"),
    [
        ("no host", b"GET /models HTTP/1.1\r\n\r\n", 400, "bad-request"),
        ("no HTTP at all", b"hello\r\n\r\n", 400, "bad-request"),
        ("an unknown version", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400, "bad-request"),
        ("a header without a name", b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400, "bad-request"),
        ("a line break inside a header", b"GET / HTTP/1.1\r\nX-Request-Id: a\r\n b\r\n\r\n", 400, "bad-request"),
        ("a zero byte in a header", b"GET / HTTP/1.1\r\nX-Request-Id: a\0b\r\n\r\n", 400, "bad-request"),
        (
            "two lengths",
            b"POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
            "bad-request",
        ),
        ("a length below 0", b"POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, "bad-request"),
        (
            "length and chunks",
            b"POST /predict HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
            "bad-request",
        ),
        (
            "an unknown transfer coding",
            b"POST /predict HTTP/1.1\r\nTransfer-Encoding: magic\r\n\r\n",
            501,
            "not-implemented",
        ),
        ("an endless address", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "uri-too-long"),
        ("an endless header", b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431, "headers-too-large"),
        ("a hundred headers too many", b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 431, "headers-too-large"),
        (
            "a body that is cut off",
            JSON_HEAD + b'Content-Length: 999\r\n\r\n{"texts":',
            400,
            "bad-request",
        ),
        (
            "chunks that are cut off",
            JSON_HEAD + b'Transfer-Encoding: chunked\r\n\r\n9\r\n{"t',
            400,
            "bad-request",
        ),
        (
            "a chunk of no length",
            JSON_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
            "bad-request",
        ),
    ],
)
def test_broken_http_is_answered_with_a_problem_and_the_service_goes_on(
    service: RunningService, name: str, request_bytes: bytes, status: int, kind: str
) -> None:
    answer = raw(service, request_bytes)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json"), name
    assert answer.json()["type"] == f"/problems#{kind}"
    assert httpx.get(f"{service.url}/health/live").status_code == 200


def test_a_chunked_body_is_read_and_bounded(service: RunningService) -> None:
    def body(text: bytes, times: int) -> Iterator[bytes]:
        yield b'{"texts": ["'
        for _ in range(times):
            yield text
        yield b'"]}'

    json_type = {"Content-Type": "application/json"}
    url = f"{service.url}/predict?wait=0"
    assert httpx.post(url, content=body(b"a", 5), headers=json_type).status_code == 202
    assert httpx.post(url, content=body(b"a" * 1000, 1100), headers=json_type).status_code == 413


def test_a_stop_lets_waiting_clients_have_their_answers_and_hangs_up_on_idle_ones(
    redis_server: RedisServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    with (
        api_alone(redis_server, tmp_path) as service,
        httpx.Client(base_url=service.url) as idle,
        sent(service, post("a", "Prefer: wait=60")) as waiting,
        ThreadPoolExecutor(1) as pool,
    ):
        until(lambda: in_flight(idle) >= 2)
        begun = time.monotonic()
        stopping = pool.submit(service.api.terminate)
        time.sleep(1.5)  # the process has seen the signal by now
        assert not service.api.has_ended()
        worker.go.set()
        assert read(waiting).json()["predictions"] == [answer_document("a")]
        assert stopping.result(60) == 0
        assert time.monotonic() - begun < 15


def test_a_result_stream_that_breaks_off_is_seen_to_be_incomplete(
    service: RunningService, worker: AnsweringWorker
) -> None:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        job = client.post("/predict?wait=0", json={"texts": ["a"] * 300}).json()["id"]
        worker.pause_s = 5.0  # before each of five chunks; a table begins with its first page
        worker.go.set()
        with client.stream("GET", f"/jobs/{job}/results", headers={"Accept": "text/csv"}) as stream:
            assert stream.status_code == 200
            httpx.delete(f"{service.url}/jobs/{job}")
            with pytest.raises(httpx.RemoteProtocolError):
                stream.read()
        assert client.get("/health/live").status_code == 200


def test_a_client_that_falls_silent_is_given_up(
    redis_server: RedisServer, worker: AnsweringWorker, tmp_path: Path
) -> None:
    worker.go.set()
    with (
        api_alone(redis_server, tmp_path, api_silence_s=0.5) as service,
        httpx.Client(base_url=service.url, timeout=60) as client,
    ):
        with sent(service, post("a")[:-5]) as silent:
            assert read(silent).json()["detail"] == "the rest of the body did not come"
        job = client.post("/predict?wait=60", json={"texts": ["a"] * 50_000, "scores": True}).json()["id"]
        with sent(service, ndjson_of(job)):
            until(lambda: in_flight(client) == 2)  # it takes nothing of its answer, which is more than buffers hold
            until(lambda: in_flight(client) == 1)


def test_the_processes_of_one_service_count_together(
    store: redis.Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    assert store.ping()
    with api_alone(redis_server, tmp_path, api_workers=2) as service:
        for _ in range(40):
            httpx.get(f"{service.url}/models")
        text = httpx.get(f"{service.url}/metrics").text
        assert 'retort_http_requests_total{address="/models",method="GET",status="200"} 40.0' in text
        killed = psutil.Process(service.api.pid).children()[0]
        killed.send_signal(signal.SIGKILL)
        killed.wait(10)
        assert (
            httpx.Client(transport=httpx.HTTPTransport(retries=5)).get(f"{service.url}/health/live").status_code == 200
        )


def test_a_bad_setting_stops_the_program_and_is_named(redis_server: RedisServer, tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"RETORT_MAX_TEXTS: .*integer"),
        api_alone(redis_server, tmp_path, max_texts="many"),
    ):
        pass
