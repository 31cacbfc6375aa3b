"""What a receiver can do to the notifier that sends to it: nothing but answer, in bounded time."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest

import notifier.post as posting
from contract.webhook_hosts import WebhookHosts, WebhookTarget
from notifier.deadline import AttemptFailed, Deadline
from notifier.post import MOST_BYTES, post

BODY = b'{"type":"job.succeeded"}'
Talk = Callable[[socket.socket], None]


class TalkingServer:
    """Reads the header of each request and hands the connection to `talk`."""

    def __init__(self, talk: Talk, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.request = b""
        self._talk = talk
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                if self._context:
                    with self._context.wrap_socket(connection, server_side=True) as encrypted:
                        self._answer(encrypted)
                else:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while not received.endswith(BODY):
            if not (more := connection.recv(65536)):
                break
            received += more
        self.request = received
        self._talk(connection)


@contextmanager
def serving(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[TalkingServer]:
    server = TalkingServer(talk, context)
    try:
        yield server
    finally:
        server.close()


def target(port: int, scheme: str = "http", host: str = "receiver.example") -> WebhookTarget:
    return WebhookHosts.parse("", f"{host}:{port}").target(f"{scheme}://{host}:{port}/hook?a=b")


def sent(server: TalkingServer, seconds: float = 10, **more: str) -> int:
    return post(target(server.port, **more), ["127.0.0.1"], {"webhook-id": "x-1"}, BODY, Deadline(seconds))


def saying(*parts: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        for part in parts:
            connection.sendall(part)

    return talk


@pytest.mark.parametrize("status", [200, 204, 301, 308, 410, 429, 500])
def test_the_status_is_the_receivers(status: int) -> None:
    with serving(saying(f"HTTP/1.1 {status} Whatever\r\n\r\n".encode())) as server:
        assert sent(server) == status
    assert server.request.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"\r\nHost: receiver.example:{server.port}\r\n".encode() in server.request
    assert b"\r\nwebhook-id: x-1\r\n" in server.request
    assert server.request.endswith(b"\r\n\r\n" + BODY)


def test_a_redirect_is_an_answer_and_nobody_follows_it() -> None:
    with serving(saying(b"HTTP/1.1 204 Elsewhere\r\n\r\n")) as elsewhere:
        location = f"http://127.0.0.1:{elsewhere.port}/"
        with serving(saying(f"HTTP/1.1 307 Go\r\nLocation: {location}\r\n\r\n".encode())) as server:
            assert sent(server) == 307
        assert elsewhere.connections == 0


def test_the_connection_goes_to_the_address_that_was_checked_whatever_the_name_stands_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that stands for another address by now (DNS rebinding) is not asked again."""

    def look(host: str, *_arguments: object, **_named: object) -> list[object]:
        if host == "127.0.0.1":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
        raise AssertionError(f"{host} was looked up again")

    with serving(saying(b"HTTP/1.1 204 Here\r\n\r\n")) as server:
        monkeypatch.setattr(socket, "getaddrinfo", look)
        assert sent(server) == 204


@pytest.mark.parametrize("parts", [[b"HTTP/1.1 200 OK\r\n\r\n"], [b"HTTP/1.1 200 OK\r\n"], []])
def test_an_endless_answer_is_not_read(parts: list[bytes]) -> None:
    took: list[int] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(b"".join(parts))
        with suppress(OSError):
            while True:
                took.append(connection.send(b"x-header: " + b"a" * 2**20 + b"\r\n"))

    with serving(talk) as server:
        if parts:
            assert sent(server) == 200
        else:
            with pytest.raises(AttemptFailed, match="no HTTP"):
                sent(server)
    assert sum(took) < 100 * 2**20


def test_no_more_than_4_kb_are_asked_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counting(socket.socket):
        def recv(self, size: int, flags: int = 0) -> bytes:
            received = super().recv(size, flags)
            asked.append(len(received))
            return received

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connection = Counting()
        connection.settimeout(timeout)
        connection.connect(address)
        return connection

    monkeypatch.setattr(socket, "create_connection", connect)
    with serving(saying(b"HTTP/1.1 200 OK\r\n", b"x: " + b"a" * 100_000)) as server:
        assert sent(server) == 200
    assert sum(asked) == MOST_BYTES


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_an_answer_that_drips_has_the_time_of_the_attempt_and_no_more(beginning: bytes) -> None:
    done = Event()

    def talk(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while not done.wait(0.02):
            connection.sendall(b"x")

    with serving(talk) as server:
        started = time.monotonic()
        with pytest.raises(AttemptFailed, match="in time"):
            sent(server, 0.5)
        taken_s = time.monotonic() - started
        done.set()
    assert 0.5 <= taken_s < 5


def test_a_receiver_that_takes_the_connection_and_is_silent_is_given_up() -> None:
    done = Event()

    def be_silent(_: socket.socket) -> None:
        done.wait(60)

    with serving(be_silent) as server:
        with pytest.raises(AttemptFailed, match="in time"):
            sent(server, 0.2)
        done.set()


@pytest.mark.parametrize(
    "answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/2 200\r\n\r\n"]
)
def test_what_is_no_http_is_a_failed_attempt(answer: bytes) -> None:
    with serving(saying(answer)) as server, pytest.raises(AttemptFailed, match=r"no HTTP|hung up"):
        sent(server)


def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    with serving(saying(interim, b"HTTP/1.1 202 Accepted\r\n\r\n")) as server:
        assert sent(server) == 202


def test_where_nobody_listens_the_next_address_is_tried() -> None:
    with serving(saying(b"HTTP/1.1 204 Here\r\n\r\n")) as server:
        assert post(target(server.port), ["127.0.0.3", "127.0.0.1"], {}, BODY, Deadline(10)) == 204
    with pytest.raises(AttemptFailed, match="refused"):
        post(target(server.port), ["127.0.0.1"], {}, BODY, Deadline(10))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of its own for receiver.example, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    names = ["-subj", "/CN=receiver.example", "-addext", "subjectAltName=DNS:receiver.example"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*made, *files, *names], check=True, capture_output=True)
    (folder / "both.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return folder / "both.pem"


@pytest.fixture(autouse=True)
def trust_anew() -> Iterator[None]:
    posting._trust.cache_clear()
    yield
    posting._trust.cache_clear()


@pytest.fixture
def encrypted(certificate: Path) -> Iterator[TalkingServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(saying(b"HTTP/1.1 204 Here\r\n\r\n"), context) as server:
        yield server


def test_https_is_verified_against_the_name_not_the_address(
    encrypted: TalkingServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(certificate))
    assert sent(encrypted, scheme="https") == 204
    with pytest.raises(AttemptFailed, match=r"the certificate is not that of other\.example"):
        sent(encrypted, scheme="https", host="other.example")


def test_a_certificate_that_nobody_vouches_for_is_refused(encrypted: TalkingServer) -> None:
    with pytest.raises(AttemptFailed, match="the certificate is not that of"):
        sent(encrypted, scheme="https")
    assert encrypted.request == b""


def test_a_receiver_that_speaks_no_tls_gets_nothing() -> None:
    with serving(saying(b"HTTP/1.1 204 Here\r\n\r\n")) as server, pytest.raises(AttemptFailed):
        sent(server, 0.5, scheme="https")
    assert BODY not in server.request
