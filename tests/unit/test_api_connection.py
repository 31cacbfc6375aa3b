from __future__ import annotations

import logging
import socket
import struct
from contextlib import closing
from types import SimpleNamespace

import gevent.socket
import pytest
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from api.server.connection import Connection, HangUps, Patience
from api.server.gunicorn_worker import ApiWorker
from harness.until import until

PATIENCE = Patience(idle_s=1, header_s=1, body_s=1, silence_s=1)


@pytest.mark.parametrize("resets", [True, False])
def test_a_connection_that_was_reset_is_told_from_one_that_has_only_asked(resets: bool) -> None:
    with closing(gevent.socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = socket.create_connection(listener.getsockname())
        served, _ = listener.accept()
        with closing(Connection(served, patience=PATIENCE, hang_ups=HangUps(), serves_probes=False)) as connection:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            if resets:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close() if resets else client.shutdown(socket.SHUT_WR)
            if resets:
                until(connection.is_reset)
            else:
                assert connection.recv(3) == b"GET"
                assert not connection.is_reset()
    client.close()


KNOWN, STREAMED = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
)


@pytest.mark.parametrize(
    ("written", "received"),
    [
        ([KNOWN, b"abc"], [b"", KNOWN + b"abc"]),
        ([KNOWN], [b"", KNOWN]),
        ([STREAMED, b"1\r\na\r\n", KNOWN], [STREAMED, b"1\r\na\r\n", KNOWN]),
        ([KNOWN, b"ab", b"c"], [b"", KNOWN + b"ab", b"c"]),
    ],
)
def test_the_head_of_an_answer_of_known_length_goes_out_with_its_body(
    written: list[bytes], received: list[bytes]
) -> None:
    ours, client = gevent.socket.socketpair()
    client.setblocking(False)

    def arrived() -> bytes:
        try:
            return client.recv(1000)
        except BlockingIOError:
            return b""

    with closing(Connection(ours, patience=PATIENCE, hang_ups=HangUps(), serves_probes=False)) as connection, client:
        for _ in range(2):  # of one connection, the second answer is as the first
            connection.await_body(announced=False)
            found = []
            for part in written:
                connection.sendall(part)
                found.append(arrived())
            connection.end_answer()
            assert [*found, *filter(None, [arrived()])] == received
            assert arrived() == b""


def test_an_error_that_the_application_lets_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("broken")

    def breaks(*_: object) -> None:
        raise error

    monkeypatch.setattr(GeventWorker, "handle_request", breaks)
    worker = object.__new__(ApiWorker)
    worker.log = logging.getLogger("test")
    request = SimpleNamespace(headers=[("HOST", "a")], version=(1, 1), _expected_100_continue=False, uri="/")
    ours, client = gevent.socket.socketpair()
    client.settimeout(5)
    with closing(Connection(ours, patience=PATIENCE, hang_ups=HangUps(), serves_probes=True)) as connection, client:
        with pytest.raises(RuntimeError, match="broken"):
            worker.handle_request(None, request, connection, None)
        worker.handle_error(request, connection, None, error)
        assert b"internal-error" in client.recv(10_000)
