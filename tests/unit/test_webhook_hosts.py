"""Where webhooks may go: hosts that are named, spelt in the one way that no two parsers read differently."""

from __future__ import annotations

import pytest

from contract.errors import BadSettings
from contract.settings import SharedSettings
from contract.webhook_hosts import MOST_CHARACTERS, ForbiddenWebhook, WebhookHosts

HOSTS = WebhookHosts.parse(
    "hooks.example.com, *.example.org, [2606:2800::1], other.example:8443", "receiver.internal:8080,10.0.0.7,[::1]:9000"
)


def test_nothing_is_allowed_unless_hosts_are_named() -> None:
    off = WebhookHosts.parse("", "")
    assert not off
    with pytest.raises(ForbiddenWebhook):
        off.target("https://hooks.example.com/")


@pytest.mark.parametrize(
    ("address", "host", "port", "path", "header"),
    [
        ("https://hooks.example.com/a/b?c=d&e=%20", "hooks.example.com", 443, "/a/b?c=d&e=%20", "hooks.example.com"),
        ("https://hooks.example.com", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://hooks.example.com:443/", "hooks.example.com", 443, "/", "hooks.example.com"),
        ("https://a.example.org/@x", "a.example.org", 443, "/@x", "a.example.org"),
        ("https://a.b.example.org/", "a.b.example.org", 443, "/", "a.b.example.org"),
        ("https://other.example:8443/", "other.example", 8443, "/", "other.example:8443"),
        ("https://[2606:2800::1]/", "2606:2800::1", 443, "/", "[2606:2800::1]"),
        ("http://receiver.internal:8080/x", "receiver.internal", 8080, "/x", "receiver.internal:8080"),
        ("http://10.0.0.7/", "10.0.0.7", 80, "/", "10.0.0.7"),
        ("https://10.0.0.7/", "10.0.0.7", 443, "/", "10.0.0.7"),
        ("http://[::1]:9000/", "::1", 9000, "/", "[::1]:9000"),
    ],
)
def test_an_address_of_a_named_host_is_taken_apart(address: str, host: str, port: int, path: str, header: str) -> None:
    target = HOSTS.target(address)
    assert (target.host, target.port, target.path, target.host_header) == (host, port, path, header)


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.com/",
        "https://example.org/",  # a pattern means what is below it
        "https://evilexample.org/",
        "https://hooks.example.com.evil.com/",
        "https://hooks.example.com./",
        "https://.example.org/",
        "https://a..example.org/",
        "https://hooks.example.com:8443/",
        "https://other.example/",
        "http://hooks.example.com/",
        "http://hooks.example.com:443/",
        "https://user@hooks.example.com/",
        "https://hooks.example.com@evil.com/",
        "https://hooks.example.com:443@evil.com/",
        "https://evil.com#@hooks.example.com/",
        "https://evil.com\\@hooks.example.com/",
        "https://hooks.example.com\\.evil.com/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/a\r\nHost: evil.com",
        " https://hooks.example.com/",
        "https://hooks.example.com/\n",
        "https://HOOKS.example.com/",
        "https://hooks。example.com/",  # a full stop that some parsers take for a dot
        "https://hooks.example.com:0x1bb/",
        "https://hooks.example.com:/",
        "https://hooks.example.com:443:80/",
        "https:hooks.example.com/",
        "//hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "https://[2606:2800:0::1]/",  # the same address, written otherwise than the operator did
        "https://[::ffff:10.0.0.7]/",
        "https://[fe80::1%25eth0]/",
        "http://0x0a000007/",
        "http://167772167/",
        "http://010.0.0.7/",
        "https:///",
        "",
        "https://hooks.example.com/" + "a" * MOST_CHARACTERS,
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenWebhook):
        HOSTS.target(address)


def test_only_private_hosts_may_have_private_addresses() -> None:
    assert HOSTS.target("http://receiver.internal:8080/").may_be_private
    assert not HOSTS.target("https://hooks.example.com/").may_be_private


@pytest.mark.parametrize(
    "bad",
    [
        "*",
        "*.",
        "a b",
        "https://a.com",
        "a.com/",
        "user@a.com",
        "a.com:x",
        "a.com:0",
        "a.com:65536",
        "a.*.com",
        "..",
        "a.",
    ],
)
def test_a_list_with_something_else_stops_the_program_and_names_the_setting(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETORT_WEBHOOK_HOSTS", f"a.com,{bad}")
    with pytest.raises(BadSettings, match="RETORT_WEBHOOK_HOSTS"):
        SharedSettings.load()
