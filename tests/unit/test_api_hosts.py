"""By which names the service may be asked for."""

from __future__ import annotations

import socket

import pytest

from api.http.hosts import Hosts

LISTED = "retort.example.com, .inside.example.com,API"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8000", "localhost.", "a.localhost:1", "127.0.0.1:8000", "[::1]:8000", "::1", "10.1.2.3",
     "retort.example.com:443", "api:8000", "x.inside.example.com", socket.gethostname()],
)  # fmt: skip
def test_an_address_a_loopback_name_and_a_listed_name_are_the_service(host: str) -> None:
    assert Hosts(LISTED).allow(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "", "localhost.evil.example", "evil-localhost", "retort.example.com.evil.example", "a, localhost",
     "inside.example.com.", "127.0.0.1.evil.example", "localhost:80:evil", "user@evil.example"],
)  # fmt: skip
def test_any_other_name_is_not(host: str) -> None:
    assert not Hosts(LISTED).allow(host)


def test_a_star_allows_every_name() -> None:
    assert Hosts("*").allow("evil.example")
