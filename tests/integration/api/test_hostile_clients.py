"""What strangers do to the API's connections: hold them, drop them, lie on them. The service answers the others."""

from __future__ import annotations

import re
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import redis

from api.settings import ApiSettings
from harness.answering_worker import AnsweringWorker, answer_document
from harness.ports import free_port
from harness.redis_server import RedisServer
from harness.running_service import RunningService as Service
from harness.until import until
from tests.integration.api.test_gunicorn import api_alone, in_flight, ndjson_of, post, raw, read, sent

HEADER_S = 2.0
CONNECTIONS = 40
PATIENCE_S = 20.0
BODY_BYTES = 2_000_000
MOST_BODIES = 3 * BODY_BYTES


@pytest.fixture(scope="module")
def probes_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, probes_port: int) -> Iterator[Service]:
    """With room for few clients, so that few can fill it."""
    with api_alone(
        redis_server,
        tmp_path_factory.mktemp("api"),
        api_connections=CONNECTIONS,
        api_header_s=HEADER_S,
        api_body_s=3,
        api_silence_s=30,
        api_probes_bind=f"127.0.0.1:{probes_port}",
        max_waiting=12,
        max_waiting_of_caller=8,
        max_body_bytes=MOST_BODIES,
        max_bodies_bytes=MOST_BODIES,
    ) as service:
        yield service


@pytest.fixture
def worker(store: redis.Redis, settings: ApiSettings) -> Iterator[AnsweringWorker]:
    assert store.ping()
    with AnsweringWorker(settings, held=True) as worker:
        yield worker


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def open_job(client: httpx.Client, worker: AnsweringWorker) -> str:
    assert not worker.go.is_set()
    found: str = client.post("/predict?wait=0", json={"texts": ["a"] * 300}).json()["id"]
    return found


@contextmanager
def many(service: Service, number: int, request: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(sent(service, request)) for _ in range(number)]


def test_a_stream_ends_within_a_second_of_its_client(service: Service, client: httpx.Client, open_job: str) -> None:
    seconds = []
    for _ in range(5 * CONNECTIONS):  # each takes one of twelve places, and gives it back
        with sent(service, ndjson_of(open_job)):
            until(lambda: in_flight(client) == 2, PATIENCE_S, pause_s=0.001)
        begun = time.monotonic()
        until(lambda: in_flight(client) == 1, PATIENCE_S, pause_s=0.001)
        seconds.append(time.monotonic() - begun)
    assert statistics.median(seconds) < 1  # a busy machine may delay some


def test_a_client_that_hangs_up_leaves_its_place_even_with_bytes_unread(
    service: Service, client: httpx.Client, open_job: str
) -> None:
    assert open_job
    with sent(service, post("x", "Prefer: wait=60") + ndjson_of(open_job)):
        until(lambda: in_flight(client) == 2, PATIENCE_S)
    until(lambda: in_flight(client) == 1, PATIENCE_S)


def test_a_client_that_ends_its_sending_is_answered_at_once(service: Service, worker: AnsweringWorker) -> None:
    assert not worker.go.is_set()
    begun = time.monotonic()
    assert raw(service, post("x", "Prefer: wait=60")).status_code == 202
    assert time.monotonic() - begun < 30


def test_streams_and_waits_have_a_bound_and_others_go_on(service: Service, client: httpx.Client, open_job: str) -> None:
    with many(service, 8, ndjson_of(open_job)):
        until(lambda: in_flight(client) == 9, PATIENCE_S)
        for path in (f"/jobs/{open_job}?wait=5", f"/jobs/{open_job}/results?wait=5"):
            refused = client.get(path)
            assert (refused.status_code, refused.json()["type"]) == (429, "/problems#too-many-waiting")
            assert refused.headers["Retry-After"] == "2"
        assert client.post("/predict", json={"texts": ["b"]}).status_code == 429
        assert client.post("/predict?wait=0", json={"texts": ["b"]}).status_code == 202
        assert client.get(f"/jobs/{open_job}").status_code == 200
    until(lambda: in_flight(client) == 1, PATIENCE_S)
    assert client.get(f"/jobs/{open_job}?wait=0.1").status_code == 200


def test_connections_that_send_nothing_are_closed_and_probes_never_notice(service: Service, probes_port: int) -> None:
    probes = httpx.Client(base_url=f"http://127.0.0.1:{probes_port}")
    with many(service, CONNECTIONS, b"GET /hea") as idle, probes as probe:
        begun = time.monotonic()
        while time.monotonic() - begun < HEADER_S * 0.8:
            asked = time.monotonic()
            assert probe.get("/health/live").status_code == 200
            assert "retort_http_requests_total" in probe.get("/metrics").text
            assert time.monotonic() - asked < HEADER_S * 0.8
        for connection in idle:
            connection.settimeout(3 * HEADER_S)
            assert connection.recv(1) == b""
    assert httpx.get(f"{service.url}/health/live").status_code == 200


def test_a_header_that_trickles_in_does_not_last(service: Service) -> None:
    with sent(service, b"GET /models HTTP/1.1\r\nX: ") as slow:
        begun = time.monotonic()

        def hangs_up() -> bool:
            try:
                slow.sendall(b"a")
            except OSError:
                return True
            return False

        until(hangs_up, 10 * HEADER_S, pause_s=0.1)
        assert time.monotonic() - begun > HEADER_S / 2


def test_a_body_that_trickles_in_does_not_last(service: Service) -> None:
    with sent(service, post("x" * 100)[:-50]) as slow:
        begun = time.monotonic()
        for _ in range(20):
            slow.sendall(b"x")
            time.sleep(0.1)
        assert read(slow).json()["detail"] == "the rest of the body did not come"
        assert time.monotonic() - begun < 10


def test_the_probes_address_serves_probes_alone(probes_port: int) -> None:
    url = f"http://127.0.0.1:{probes_port}"
    assert httpx.get(f"{url}/health/ready").status_code in (200, 503)
    for answer in (httpx.get(f"{url}/models"), httpx.post(f"{url}/predict", json={"texts": ["a"]})):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems#not-found")


def large(size: int) -> bytes:
    return b'{"texts": ["' + b'a", "'.join(b"a" * 10_000 for _ in range(size // 10_005)) + b'"]}'


def head(size: int, *more: str) -> bytes:
    lines = ["POST /predict HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Content-Length: {size}"]
    return "\r\n".join([*lines, *more, "", ""]).encode()


def test_stalled_bodies_have_a_bound_together_and_small_ones_are_taken(service: Service, client: httpx.Client) -> None:
    with many(service, 5, head(BODY_BYTES) + b"[" * (BODY_BYTES - 10)) as stalled:
        refused = [connection for connection in stalled if refused_with(connection) == 429]
        assert len(refused) >= 2
        assert client.post("/predict?wait=0", json={"texts": ["a"]}).status_code == 202

    def is_taken() -> bool:
        json_type = {"Content-Type": "application/json"}
        return client.post("/predict?wait=0", content=large(BODY_BYTES), headers=json_type).status_code == 202

    until(is_taken, 10)


def refused_with(connection: socket.socket) -> int | None:
    connection.settimeout(1)
    try:
        return read(connection).status_code
    except TimeoutError:
        return None


def test_nothing_of_a_waiting_requests_body_is_kept(
    service: Service, client: httpx.Client, worker: AnsweringWorker
) -> None:
    [process] = psutil.Process(service.processes["api"].pid).children()
    body = large(BODY_BYTES)
    with ExitStack() as stack:

        def waiting(number: int) -> socket.socket:
            connection = stack.enter_context(sent(service, head(len(body), "Prefer: wait=60") + body))
            until(lambda: in_flight(client) == number + 1, 20)
            return connection

        first = [waiting(number) for number in (1, 2)]  # the heap grows to what one request needs
        before = process.memory_info().rss
        more = [waiting(number) for number in range(3, 9)]
        assert process.memory_info().rss - before < 3 * len(body)
        worker.go.set()
        assert {connection.recv(12) for connection in (*first, *more)} == {b"HTTP/1.1 200"}


@pytest.mark.parametrize(
    ("more", "status"), [(("Expect: 100-continue",), 413), (("Expect: 100-continue", "Content-Type: text/plain"), 400)]
)
def test_what_a_header_alone_condemns_gets_no_leave_to_send_its_body(
    service: Service, more: tuple[str, ...], status: int
) -> None:
    with sent(service, head(10**9, *more)) as connection:
        assert read(connection).status_code == status


def test_a_body_that_waits_for_leave_gets_it_once_it_is_wanted(service: Service, worker: AnsweringWorker) -> None:
    worker.go.set()
    request = post("x", "Expect: 100-continue")
    with sent(service, request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n") as connection:
        assert re.match(rb"HTTP/1.1 100 Continue\r\n\r\n$", connection.recv(1000))
        connection.sendall(request.partition(b"\r\n\r\n")[2])
        assert read(connection).json()["predictions"] == [answer_document("x")]


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /docs", "PATH_INFO: /metrics", "X-Forwarded-Prefix: /docs"])
def test_no_stranger_says_where_the_service_is_mounted(service: Service, header: str) -> None:
    request = f"GET /docs/metrics HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n"
    assert raw(service, request.encode()).status_code == 404


def test_a_proxy_that_is_named_says_it(redis_server: RedisServer, tmp_path: Path) -> None:
    with api_alone(redis_server, tmp_path, forwarded_by="127.0.0.1") as service:
        request = b"GET /inside/models HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /inside\r\n\r\n"
        assert raw(service, request).status_code == 200
