"""Ports for the servers of tests."""

from __future__ import annotations

import socket

import pytest

from harness import ports
from harness.ports import free_port


def test_no_port_is_named_twice_in_a_row_nor_one_that_something_listens_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
        server.listen()
        named = [free_port() for _ in range(500)]
        assert len(set(named)) == 500
        assert server.getsockname()[1] not in named


def test_each_process_of_pytest_has_ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    owners: set[int] = set()
    for number in range(ports.PROCESSES):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{number}")
        owners |= (own := set(ports._own()))
        assert len(own) == ports.EACH
    assert len(owners) == ports.PROCESSES * ports.EACH
