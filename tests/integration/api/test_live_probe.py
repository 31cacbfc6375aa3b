"""Liveness does not wait behind the greenlets, however long they take."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing

import httpx
import pytest

from harness.process import ROOT

pytestmark = pytest.mark.timeout(120)


def test_live_is_answered_while_the_greenlets_hang_and_all_else_is_handed_on_untouched() -> None:
    command = [sys.executable, "-m", "gevent.monkey", "--module", "tests.hanging_server"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        with (
            closing(socket.create_connection(("127.0.0.1", port))) as metrics,
            closing(socket.create_connection(("127.0.0.1", port))) as slow,
        ):
            metrics.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            slow.sendall(b"GET /")
            for _ in range(3):
                answer = httpx.get(f"http://127.0.0.1:{port}/health/live", timeout=60)
                assert (answer.status_code, answer.json()) == (200, {"status": "live"})
            server.stdin.close()
            assert json.loads(server.stdout.readline()) == ["GET /", "GET /metrics"]
