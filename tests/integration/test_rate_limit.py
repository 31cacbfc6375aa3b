from __future__ import annotations

import redis

from contract.rate_limit import KEPT_S, RequestCounter


def test_requests_are_counted_by_key_and_by_second_over_all_processes(store: redis.Redis) -> None:
    now = [100.2]
    here, there = (RequestCounter(store, lambda: now[0]) for _ in range(2))
    assert [here.count("a"), there.count("a"), here.count("b")] == [1, 2, 1]
    now[0] = 101.0
    assert there.count("a") == 1


def test_every_counter_expires(store: redis.Redis) -> None:
    counter = RequestCounter(store)
    for _ in range(3):
        counter.count("a")
    names = list(store.scan_iter("retort:rate:*"))
    assert names
    assert all(0 < store.ttl(name) <= KEPT_S for name in names)


def test_a_counter_that_a_stranger_gave_another_type_refuses_nobody(store: redis.Redis) -> None:
    store.rpush("retort:rate:a:100", "junk")
    assert RequestCounter(store, lambda: 100.0).count("a") == 0
