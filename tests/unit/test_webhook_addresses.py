"""Which addresses a webhook may go to, whatever its host's name stands for."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from threading import Event

import pytest

from contract.webhook_hosts import ForbiddenWebhook, WebhookHosts, WebhookTarget
from notifier.addresses import Resolver, is_public, is_usable
from notifier.deadline import AttemptFailed, Deadline

HOSTS = WebhookHosts.parse("public.example", "private.example")
PUBLIC, PRIVATE = (HOSTS.target(f"https://{name}.example/") for name in ("public", "private"))
INTERNET = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "2a00:1450:4001::200e"]
LOCAL = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "240.0.0.1",
    "::1", "fe80::1", "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1",
]  # fmt: skip
DISGUISED = [
    "64:ff9b::7f00:1",  # NAT64 (RFC 6052)
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",  # 6to4
    "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "::7f00:1",  # IPv4-compatible
]
MAPPED = ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8"]
NEVER = ["0.0.0.0", "::", "224.0.0.1", "239.255.255.250", "ff02::1", *MAPPED]  # noqa: S104


@pytest.mark.parametrize("address", INTERNET)
def test_the_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert is_usable(ip_address(address))


@pytest.mark.parametrize("address", [*LOCAL, *DISGUISED, *NEVER, "255.255.255.255"])
def test_what_is_local_reserved_or_disguised_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", LOCAL)
def test_an_operator_can_allow_local_addresses(address: str) -> None:
    assert is_usable(ip_address(address))


@pytest.mark.parametrize("address", NEVER)
def test_nobody_can_allow_multicast_nothing_or_one_address_in_the_dress_of_another(address: str) -> None:
    assert not is_usable(ip_address(address))


def resolver(*answers: str) -> Resolver:
    return Resolver(1, lambda _host, _port: answers)


@pytest.mark.parametrize("address", [*LOCAL, *DISGUISED, *NEVER])
def test_a_name_that_stands_for_such_an_address_gets_no_webhook(address: str) -> None:
    with pytest.raises(ForbiddenWebhook, match="where no webhook is sent"):
        resolver(address).addresses(PUBLIC, Deadline(5))


def test_of_several_addresses_only_public_ones_are_used() -> None:
    assert resolver("127.0.0.1", "8.8.8.8", "::1", "8.8.8.8").addresses(PUBLIC, Deadline(5)) == ["8.8.8.8"]


def test_a_host_that_is_allowed_by_name_for_that_may_be_private() -> None:
    found = resolver("10.0.0.7", "fe80::1%eth0", "::ffff:10.0.0.7", "0.0.0.0").addresses(PRIVATE, Deadline(5))  # noqa: S104
    assert found == ["10.0.0.7", "fe80::1%eth0"]


def test_a_name_that_is_not_known_may_be_known_another_time() -> None:
    def look(_host: str, _port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    with pytest.raises(AttemptFailed, match=r"public\.example is not known"):
        Resolver(1, look).addresses(PUBLIC, Deadline(5))


def test_a_resolver_that_hangs_takes_no_more_than_the_attempts_time() -> None:
    let_go = Event()
    hanging = Resolver(1, lambda _host, _port: [str(let_go.wait(60))])
    with pytest.raises(AttemptFailed, match="in time"):
        hanging.addresses(PUBLIC, Deadline(0.05))
    let_go.set()


def test_each_name_is_looked_up_once_an_attempt() -> None:
    asked: list[str] = []

    def look(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8"]

    target: WebhookTarget = PUBLIC
    assert Resolver(1, look).addresses(target, Deadline(5)) == ["8.8.8.8"]
    assert asked == ["public.example"]
