"""Which addresses webhooks may be sent to, of those that a host's name stands for now."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from contract.webhook_hosts import ForbiddenWebhook, WebhookTarget
from notifier.deadline import AttemptFailed, Deadline

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Sequence[str]]
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is given out (RFC 4291). Everything else is local, reserved, multicast, or hides an IPv4 address."""
HIDES_IPV4 = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
"""6to4 (RFC 3056) and Teredo (RFC 4380)."""


def is_public(address: Address) -> bool:
    """True for addresses of the internet: no private, loopback, link-local, shared, multicast or reserved ones."""
    if isinstance(address, IPv6Address):
        is_given_out = address in GLOBAL_UNICAST and not any(address in network for network in HIDES_IPV4)
    else:
        is_given_out = not (address.is_multicast or address.is_reserved)
    return is_given_out and address.is_global


def is_usable(address: Address) -> bool:
    """True for addresses that an operator can allow: those that one machine has, written in the one usual way."""
    is_disguised = isinstance(address, IPv6Address) and address.ipv4_mapped is not None
    return not (address.is_multicast or address.is_unspecified or is_disguised)


def system_lookup(host: str, port: int) -> Sequence[str]:
    """The addresses that the system's resolver knows. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


class Resolver:
    """Looks hosts up, in bounded time."""

    def __init__(self, threads: int, lookup: Lookup = system_lookup) -> None:
        self._lookup = lookup
        # The system's resolver takes as long as it likes: it is left behind on a thread of its own.
        self._pool = ThreadPoolExecutor(threads, "resolver")

    def addresses(self, target: WebhookTarget, deadline: Deadline) -> list[str]:
        """The addresses of the host that webhooks may be sent to; whoever connects must use these, and not look again.

        Raises ForbiddenWebhook when it has none but such as they may not be sent to, AttemptFailed when it has
        none at all.
        """
        found = list(dict.fromkeys(self._look(target, deadline)))
        may = is_usable if target.may_be_private else is_public
        allowed = [text for text in found if may(ip_address(text.partition("%")[0]))]
        if not allowed:
            raise ForbiddenWebhook(f"{target.host} is {', '.join(found)}, where no webhook is sent")
        return allowed

    def _look(self, target: WebhookTarget, deadline: Deadline) -> Sequence[str]:
        future: Future[Sequence[str]] = self._pool.submit(self._lookup, target.host, target.port)
        try:
            return future.result(deadline.left_s())
        except FutureTimeout:
            future.cancel()
            raise AttemptFailed(f"{target.host} is not looked up in time") from None
        except (OSError, UnicodeError) as error:  # the latter for a part of a name that is longer than names have
            raise AttemptFailed(f"{target.host} is not known: {error}") from error
