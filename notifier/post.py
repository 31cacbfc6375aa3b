"""One POST to an address that was checked before: in bounded time, without redirects, reading no more than 4 KB.

Written on sockets, for a webhook asks little of HTTP and much of its bounds: the connection goes to the very address
that was checked, each step has what is left of one time, and of the answer only the status counts.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from functools import cache

from contract.webhook_hosts import WebhookTarget
from notifier.deadline import AttemptFailed, Deadline

MOST_BYTES = 4096
"""Of an answer that are read."""
CONNECT_S = 5.0
"""Until the next of a host's addresses is tried."""
MOST_ADDRESSES = 3
STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r?\n")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


def post(
    target: WebhookTarget, addresses: Sequence[str], headers: Mapping[str, str], body: bytes, deadline: Deadline
) -> int:
    """The status of the answer. Raises AttemptFailed when none comes in time, or what comes is no HTTP."""
    try:
        with _connected(target, addresses, deadline) as connection:
            connection.settimeout(deadline.left_s())
            connection.sendall(_request(target, headers, body))
            return _status(connection, deadline)
    except ssl.SSLCertVerificationError as error:
        raise AttemptFailed(f"the certificate is not that of {target.host}: {error.verify_message}") from error
    except TimeoutError:
        raise AttemptFailed("no answer in time") from None
    except OSError as error:
        raise AttemptFailed(f"{type(error).__name__}: {error.strerror or error}") from error


def _connected(target: WebhookTarget, addresses: Sequence[str], deadline: Deadline) -> socket.socket:
    connection = _first_reachable(addresses[:MOST_ADDRESSES], target.port, deadline)
    if target.scheme == "http":
        return connection
    try:
        connection.settimeout(deadline.left_s())
        return _trust().wrap_socket(connection, server_hostname=target.host)
    except BaseException:
        connection.close()
        raise


@cache
def _trust() -> ssl.SSLContext:
    """The certificates that the system trusts, or those of SSL_CERT_FILE. Reading them takes longer than a webhook."""
    return ssl.create_default_context()


def _first_reachable(addresses: Sequence[str], port: int, deadline: Deadline) -> socket.socket:
    for number, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), timeout=min(CONNECT_S, deadline.left_s()))
        except OSError:
            if number == len(addresses):
                raise
    raise AttemptFailed("it has no address")


def _request(target: WebhookTarget, headers: Mapping[str, str], body: bytes) -> bytes:
    fixed = {"Host": target.host_header, "Content-Length": str(len(body)), "Connection": "close"}
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**fixed, **headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def _status(connection: socket.socket, deadline: Deadline) -> int:
    """The status of the first answer that is no interim one (RFC 9110, 15.2), once its header has come."""
    read, rest = 0, b""
    while True:
        while head := _HEAD_END.search(rest):
            status = _of_head(rest)
            if status >= 200:
                return status
            rest = rest[head.end() :]
        if read >= MOST_BYTES:
            return _of_head(rest)
        connection.settimeout(deadline.left_s())
        received = connection.recv(MOST_BYTES - read)
        if not received:
            return _of_head(rest)
        read, rest = read + len(received), rest + received


def _of_head(head: bytes) -> int:
    match = STATUS.match(head)
    if not match:
        raise AttemptFailed(f"the answer is no HTTP: {head[:40]!r}" if head else "it hung up without an answer")
    return int(match[1])
