"""The connection to Redis and the Lua scripts that change the job record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import redis
from redis.backoff import ExponentialBackoff
from redis.connection import parse_url
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection

from contract.celery_config import sentinel_options
from contract.errors import StoreUnavailable
from contract.redis_address import RedisAddress
from contract.settings import SharedSettings

_FOLDER = Path(__file__).parent / "scripts"
_PRELUDE = (_FOLDER / "prelude.lua").read_text(encoding="utf-8")

REDIS_STATES = ("OOM", "MISCONF", "READONLY", "NOREPLICAS", "not allowed when used memory")
"""What Redis says when it is in no state to write."""

DEMOTED = "READONLY"
"""What Redis says that was the primary and is a replica now."""
REPLICAS_MS = 1000
"""Replicas that have not taken a write by then do not have it. Less than a client waits for any answer."""

# Of a connection that Sentinels lead to, redis-py alone leaves the socket open when a reply does not come in time: the
# next command would be answered with it, and each after that with the one before (redis-py's pull request 4292). Here
# and not in a class of its own, for kombu makes such connections, too.
cast("dict[str, Any]", SentinelManagedConnection.read_response.__kwdefaults__)["disconnect_on_error"] = True

Call = tuple[Sequence[str], Sequence[Any]]


def connect(settings: SharedSettings, max_connections: int = 64) -> redis.Redis:
    """A pooled client that answers str. It gives up after some two seconds, so that callers can say so at once."""
    address = settings.redis_address
    options: dict[str, Any] = {
        "decode_responses": True,
        # What is no UTF-8 is a stranger's. It becomes text that nothing matches, instead of an error amid the answers.
        "encoding_errors": "backslashreplace",
        "max_connections": max_connections,
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 15,
        # A connection that broke is worth another try; a Redis that does not answer is not worth another wait.
        "retry": Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(redis.ConnectionError,)),
    }
    if not address.sentinels:
        return redis.Redis.from_url(address.url, **options)
    return _primary(address, settings, options)


def _primary(address: RedisAddress, settings: SharedSettings, options: dict[str, Any]) -> redis.Redis:
    """A client of whichever server the Sentinels call the primary at the moment at which a connection is made."""
    sentinels = Sentinel(address.sentinels, sentinel_kwargs=sentinel_options(settings))  # type: ignore[no-untyped-call]
    of_url: dict[str, Any] = parse_url(address.url)  # type: ignore[no-untyped-call]
    for decided_by_the_sentinels in ("host", "port", "connection_class"):
        of_url.pop(decided_by_the_sentinels, None)
    return cast(
        "redis.Redis",
        sentinels.master_for(address.service, ssl=address.is_encrypted, **of_url, **options),  # type: ignore[no-untyped-call]
    )


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn every failure of Redis into StoreUnavailable, which says what Redis said.

    A script that fails on what it finds is a fault of this program, not of Redis: trying again would not help.
    """
    try:
        yield
    except RedisError as error:
        if is_fault_of_a_script(error):
            raise
        raise StoreUnavailable(f"Redis: {error}") from error


def is_fault_of_a_script(error: Exception) -> bool:
    """True when a script failed on what it found, which trying again does not change."""
    return "user_script" in str(error) and not any(state in str(error) for state in REDIS_STATES)


class Script:
    """One of `contract/scripts/*.lua`: called many times in one round trip, loaded again when Redis forgot it."""

    def __init__(self, client: redis.Redis, name: str, *, replicas: int = 0) -> None:
        """No answer counts before so many replicas have what the calls wrote, and all that was written before them."""
        self._client = client
        self._replicas = replicas
        self._source = _PRELUDE + (_FOLDER / f"{name}.lua").read_text(encoding="utf-8")
        self._sha: str | None = None

    def call_many(self, calls: Iterable[Call]) -> list[Any]:
        """Run the script once per (keys, arguments) in one pipeline; the answers come in the same order.

        Raises StoreUnavailable, and the first fault of the script. Every script may be called again after a failure:
        none does its work twice.
        """
        answers = self.call_each(calls)
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise answer
        return answers

    def call_each(self, calls: Iterable[Call]) -> list[Any]:
        """Do what `call_many` does, with a call's fault, a ResponseError, in the place of its answer."""
        waiting = list(enumerate(calls))
        answers: list[Any] = [None] * len(waiting)
        with store_errors():
            while waiting:
                again = []
                for (index, call), answer in zip(waiting, self._pipeline([call for _, call in waiting]), strict=True):
                    if isinstance(answer, NoScriptError):
                        again.append((index, call))
                    elif isinstance(answer, Exception) and not is_fault_of_a_script(answer):
                        self._leave_if_demoted(answer)
                        raise answer
                    answers[index] = answer
                if again:
                    self._sha = None
                waiting = again
        return answers

    def __call__(self, *arguments: Any, keys: Sequence[str] = ()) -> Any:
        return self.call_many([(keys, arguments)])[0]

    def _pipeline(self, calls: Sequence[Call]) -> list[Any]:
        if self._sha is None:
            self._sha = str(self._client.script_load(self._source))
        pipeline = self._client.pipeline(transaction=False)
        for keys, arguments in calls:
            pipeline.evalsha(self._sha, len(keys), *keys, *arguments)
        if not self._replicas:
            return pipeline.execute(raise_on_error=False)
        # Redis waits for all that it had written when it ran the connection's last command, whoever wrote it.
        pipeline.wait(self._replicas, REPLICAS_MS)
        *answers, copies = pipeline.execute(raise_on_error=False)
        if isinstance(copies, Exception):
            if not any(isinstance(answer, Exception) for answer in answers):
                raise copies
        elif copies < self._replicas:
            # This may be a primary that has been cut off from its replicas, of which one has taken its place.
            self._client.connection_pool.disconnect(inuse_connections=False)
            raise StoreUnavailable(f"Redis: {copies} of {self._replicas} replicas have it")
        return answers

    def _leave_if_demoted(self, error: Exception) -> None:
        """Make connections anew, which then lead to the new primary, where this one has become a replica."""
        if DEMOTED in str(error):
            self._client.connection_pool.disconnect(inuse_connections=False)
