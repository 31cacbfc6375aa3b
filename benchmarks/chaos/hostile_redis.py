"""A stranger with Redis' password: random bytes, types and fields over everything that API and worker read there.

Damage to a job's own record is that job's end, so records are damaged that belong to nobody: decoys, of which each has
passed admission. All else is shared with the jobs of honest clients, none of which may notice.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from kombu.exceptions import OperationalError

from contract.errors import StoreUnavailable
from contract.message import Lane, queue_name
from harness.direct_jobs import DirectJobs

Mutation = Callable[[DirectJobs, random.Random], object]
NUMBERS = (b"", b"-1", b"1.5", b"nan", b"9" * 30, b"0x10", b"1e309")
TEXTS = (
    b"null", b"[]", b"{}", b"[" * 5000, b'{"schema_version":1}', b'{"state":"warming"}', b"junk", b"\0", b"\xff\xfe",
)  # fmt: skip
RECORD_FIELDS = (
    "schema", "state", "model", "version", "lane", "options", "caller", "texts", "bytes", "done", "errors", "chunks",
    "settled", "dead", "created", "started", "finished", "deadline", "ahead", "drained", "trace",
    "c:0", "t:0", "r:0", "e:0",
)  # fmt: skip
CHANNELS = ("retort:wake", "retort:cancelled")
REFUSALS = (redis.RedisError, OperationalError, StoreUnavailable, RuntimeError)
COUNTERS = tuple(f"{lane}_{unit}" for lane in Lane for unit in ("texts", "bytes", "drained"))


def junk(rng: random.Random) -> bytes:
    """Bytes that a reader may stumble over."""
    return rng.choice([rng.choice(NUMBERS), rng.choice(TEXTS), rng.randbytes(rng.randrange(1, 200))])


def damage_record(service: DirectJobs, rng: random.Random) -> None:
    """Of a job that is on its way: fields with junk, without a field, another type."""
    key = f"retort:job:{service.submit([f'decoy {rng.random()}'], rng.choice(list(Lane)))}"
    act = rng.randrange(10)
    if act == 0:
        _another_type(service.client, key, rng)
    elif act < 4:
        service.client.hdel(key, *rng.sample(RECORD_FIELDS, 2))
    else:
        for name in rng.sample(RECORD_FIELDS, 2):
            service.client.hset(key, name, junk(rng))


def damage_queue(service: DirectJobs, rng: random.Random) -> None:
    """Junk among the messages, and messages whose parts are junk."""
    queue = queue_name(service.settings.default_model, rng.choice(list(Lane)))
    sound = service.client.lindex(queue, 0)
    message = junk(rng)
    if sound and rng.random() < 0.5:
        spoiled = bytearray(str(sound).encode())
        for _ in range(3):
            spoiled[rng.randrange(len(spoiled))] = rng.randrange(256)
        message = bytes(spoiled)
    rng.choice([service.client.lpush, service.client.rpush])(queue, message)


def damage_heartbeat(service: DirectJobs, rng: random.Random) -> None:
    """Of a worker that there is, or that there is not."""
    living = _names(service.client, "retort:workers")
    name = rng.choice([*living, f"stranger-{rng.randrange(5)}"])
    service.client.set(f"retort:worker:{name}", junk(rng), ex=60)
    service.client.zadd("retort:workers", {name: service.jobs.now_ms()})


def damage_counter(service: DirectJobs, rng: random.Random) -> None:
    service.client.hset(f"retort:backlog:{service.settings.default_model}", rng.choice(COUNTERS), junk(rng))
    service.client.hset("retort:totals", rng.choice(["accepted", "succeeded", "strange"]), junk(rng))


def damage_names(service: DirectJobs, rng: random.Random) -> None:
    """Junk among the tickets that wait, are leased or dead, and among the jobs that are due."""
    keys = (f"retort:queued:{service.settings.default_model}", "retort:dead", "retort:deadlines", "retort:jobs:")
    service.client.zadd(rng.choice(keys), {junk(rng): rng.choice([0, 1, -1e300, service.jobs.now_ms()])})


def publish(service: DirectJobs, rng: random.Random) -> None:
    service.client.publish(rng.choice(CHANNELS), junk(rng))


def damage_type(service: DirectJobs, rng: random.Random) -> None:
    """A key that all share becomes one of another type."""
    model = service.settings.default_model
    keys = [
        "retort:workers", "retort:deadlines", "retort:dead", "retort:totals", "retort:quarantine", "retort:recount",
        "retort:relist", "retort:served", "retort:jobs:", "retort:id-key", "retort:write-check", "retort:tried",
        f"retort:queued:{model}", f"retort:backlog:{model}", f"retort:sweeper:{model}",
        *(queue_name(model, lane) for lane in Lane),
        *(f"retort:leased:{worker}" for worker in _names(service.client, "retort:workers")),
    ]  # fmt: skip
    _another_type(service.client, rng.choice(keys), rng)


MUTATIONS: Mapping[str, tuple[Mutation, int]] = {
    "record": (damage_record, 30),
    "message": (damage_queue, 20),
    "heartbeat": (damage_heartbeat, 15),
    "counter": (damage_counter, 15),
    "name": (damage_names, 10),
    "publication": (publish, 8),
    "type": (damage_type, 2),
}
"""And how many of a hundred are so."""


def mutate(service: DirectJobs, rng: random.Random) -> str:
    """Do one of MUTATIONS, and return its kind; what Redis or the record refuses counts as tried."""
    kind = rng.choices(list(MUTATIONS), [share for _, share in MUTATIONS.values()])[0]
    try:
        MUTATIONS[kind][0](service, rng)
    except (*REFUSALS, AttributeError):  # kombu's channel, when an error has closed it under its user, lacks attributes
        return f"{kind}, refused"
    return kind


def _names(client: redis.Redis, key: str) -> list[str]:
    """The members of a sorted set; none while it is something else."""
    try:
        return [str(name) for name in client.zrange(key, 0, -1)]
    except redis.ResponseError:
        return []


def _another_type(client: redis.Redis, key: str, rng: random.Random) -> None:
    writes: Sequence[tuple[str, Callable[[], Any]]] = (
        ("string", lambda: client.set(key, junk(rng))),
        ("list", lambda: client.rpush(key, junk(rng))),
        ("set", lambda: client.sadd(key, junk(rng))),
        ("hash", lambda: client.hset(key, "field", junk(rng))),
    )
    found = client.type(key)
    client.delete(key)
    rng.choice([write for kind, write in writes if kind != found])()
