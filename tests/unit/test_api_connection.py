from __future__ import annotations

import socket
import struct
from contextlib import closing

import gevent.socket
import pytest

from api.server.connection import Connection, HangUps, Patience
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
