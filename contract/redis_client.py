"""The connection to Redis and the Lua scripts that change the job record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from contract.celery_config import broker_url
from contract.errors import StoreUnavailable
from contract.settings import SharedSettings

_FOLDER = Path(__file__).parent / "scripts"
_PRELUDE = (_FOLDER / "prelude.lua").read_text(encoding="utf-8")

REDIS_STATES = ("OOM", "MISCONF", "READONLY", "NOREPLICAS", "not allowed when used memory")
"""What Redis says when it is in no state to write."""

Call = tuple[Sequence[str], Sequence[Any]]


def connect(settings: SharedSettings, max_connections: int = 64) -> redis.Redis:
    """A pooled client that answers str. It gives up after some two seconds, so that callers can say so at once."""
    return redis.Redis.from_url(
        broker_url(settings),
        decode_responses=True,
        # What is no UTF-8 is a stranger's. It becomes text that nothing matches, instead of an error amid the answers.
        encoding_errors="backslashreplace",
        max_connections=max_connections,
        socket_connect_timeout=1,
        socket_timeout=2,
        socket_keepalive=True,
        health_check_interval=15,
        # A connection that broke is worth another try; a Redis that does not answer is not worth another wait.
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), retries=2, supported_errors=(redis.ConnectionError,)),
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

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._client = client
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
        return pipeline.execute(raise_on_error=False)
