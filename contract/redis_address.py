"""Where Redis is, as `RETORT_REDIS_URL` says: one server, or a primary that Sentinels name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

SENTINEL_PORT: Final = 26379
_ENDING = "+sentinel"
_SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, kw_only=True)
class RedisAddress:
    """A parsed address, with its password."""

    url: str
    """As `redis.Redis.from_url` takes it. Of a primary that Sentinels name, the host in it stands for nothing."""
    sentinels: tuple[tuple[str, int], ...] = ()
    """Host and port of each; none where `url` names the server itself."""
    service: str = ""
    """What the Sentinels call the group of the primary and its replicas."""

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("rediss://")


def parse_address(url: str, password: str | None = None) -> RedisAddress:
    """The address in `url`; `password`, if there is one, replaces that of the URL.

    `redis://`, `rediss://` and `unix://` are those of redis-py. `redis+sentinel://` and `rediss+sentinel://` list the
    Sentinels with commas, their port being 26379 unless it is given, and name the group:
    `redis+sentinel://USER:PASSWORD@HOST1,HOST2:26380,HOST3/GROUP/DATABASE`. User and password are those of Redis, and
    so is the query. Raises ValueError, whose message holds no secret.
    """
    begin, slashes, rest = url.partition("://")
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    credentials, _, hosts = authority.rpartition("@")
    # Some releases of Python refuse a list of hosts with an IPv6 address in it.
    parts = urlsplit(begin + slashes + rest.removeprefix(authority) if "," in hosts else url)
    scheme = parts.scheme.removesuffix(_ENDING)
    shown = repr(url.rpartition("@")[2])
    if scheme not in _SCHEMES or "://" not in url:
        raise ValueError(f"{shown} is no address of a Redis, which looks like redis://HOST:6379/0")
    if password is not None:
        credentials = f"{credentials.partition(':')[0]}:{quote(password, safe='')}"
    prefix = f"{credentials}@" if credentials else ""
    if not parts.scheme.endswith(_ENDING):
        return RedisAddress(url=url if password is None else urlunsplit(parts._replace(netloc=prefix + hosts)))
    group, _, database = parts.path.strip("/").partition("/")
    if scheme == "unix" or not group or not all(hosts.split(",")):
        raise ValueError(f"{shown} names no Sentinels and group, as redis+sentinel://HOST1,HOST2,HOST3/GROUP does")
    if database and not database.isdigit():
        raise ValueError(f"{shown}: {database!r} is no number of a database")
    named = parts._replace(scheme=scheme, netloc=f"{prefix}{group}", path=f"/{database or 0}")
    return RedisAddress(
        url=urlunsplit(named), sentinels=tuple(_host_and_port(host, shown) for host in hosts.split(",")), service=group
    )


def _host_and_port(host: str, shown: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{host}")
        return str(parts.hostname), parts.port or SENTINEL_PORT
    except ValueError as error:
        raise ValueError(f"{shown}: {host!r}: {error}") from error
