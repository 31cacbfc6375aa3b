from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from api.jobs import coalesce
from api.jobs.coalesce import Coalescer
from contract.errors import StoreUnavailable
from harness.until import until


class Doubler:
    """Doubles numbers, and holds its calls until `go` is set."""

    def __init__(self) -> None:
        self.go = Event()
        self.begun = Event()
        self.calls: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(sorted(numbers))
        self.begun.set()
        self.go.wait(10)
        if 13 in numbers:
            raise ValueError("thirteen")
        if 503 in numbers:
            raise StoreUnavailable("Redis: away")
        return [2 * number for number in numbers]


@pytest.fixture
def double() -> Doubler:
    return Doubler()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def waiting(coalescer: Coalescer[int, int], number: int) -> None:
    while coalescer._calls.qsize() < number:
        Event().wait(0.001)


def test_what_comes_in_during_a_call_goes_out_as_one(double: Doubler, pool: ThreadPoolExecutor) -> None:
    coalescer = Coalescer("test", double, most=10)
    first = pool.submit(coalescer, 1)
    double.begun.wait(10)
    others = [pool.submit(coalescer, number) for number in (2, 3, 4)]
    waiting(coalescer, 3)
    double.go.set()
    assert [future.result(10) for future in (first, *others)] == [2, 4, 6, 8]
    assert double.calls == [[1], [2, 3, 4]]


def test_a_call_holds_no_more_than_allowed(double: Doubler, pool: ThreadPoolExecutor) -> None:
    coalescer = Coalescer("test", double, most=2)
    futures = [pool.submit(coalescer, 0)]
    double.begun.wait(10)
    futures += [pool.submit(coalescer, number) for number in range(1, 6)]
    waiting(coalescer, 5)
    double.go.set()
    assert sorted(future.result(10) for future in futures) == [0, 2, 4, 6, 8, 10]
    assert [len(call) for call in double.calls] == [1, 2, 2, 1]


def test_every_caller_of_a_call_that_redis_failed_gets_its_error_and_the_next_call_works(
    double: Doubler, pool: ThreadPoolExecutor
) -> None:
    coalescer = Coalescer("test", double, most=10)
    first = pool.submit(coalescer, 1)
    double.begun.wait(10)
    failing = [pool.submit(coalescer, number) for number in (503, 14)]
    waiting(coalescer, 2)
    double.go.set()
    assert first.result(10) == 2
    for future in failing:
        with pytest.raises(StoreUnavailable):
            future.result(10)
    assert coalescer(5) == 10


@pytest.mark.parametrize("neighbours", [1, 2])
def test_an_item_that_fails_harms_no_neighbour(double: Doubler, pool: ThreadPoolExecutor, neighbours: int) -> None:
    coalescer = Coalescer("test", double, most=10)
    first = pool.submit(coalescer, 1)
    double.begun.wait(10)
    healthy = [pool.submit(coalescer, number) for number in range(neighbours)]
    failing = pool.submit(coalescer, 13)
    waiting(coalescer, neighbours + 1)
    double.go.set()
    assert first.result(10) == 2
    assert [future.result(10) for future in healthy] == [2 * number for number in range(neighbours)]
    with pytest.raises(ValueError, match="thirteen"):
        failing.result(10)


class Item:
    """Something that can be seen to be gone."""


def test_nothing_of_an_item_outlives_its_call() -> None:
    item = Item()
    gone = weakref.ref(item)
    assert Coalescer[Item, int]("test", lambda items: [0] * len(items), most=10)(item) == 0
    del item
    until(lambda: gone() is None, 20)


def test_closing_answers_what_has_come_in(double: Doubler, pool: ThreadPoolExecutor) -> None:
    coalescer = Coalescer("test", double, most=10)
    futures = [pool.submit(coalescer, 1)]
    double.begun.wait(10)
    futures.append(pool.submit(coalescer, 2))
    waiting(coalescer, 1)
    closing = pool.submit(coalescer.close)
    double.go.set()
    closing.result(10)
    assert [future.result(10) for future in futures] == [2, 4]


def test_closing_does_not_wait_for_another_call(double: Doubler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesce, "WAIT_S", 60)
    coalescer = Coalescer("test", double, most=10)
    coalescer.close()
    assert not coalescer.loop.is_alive()


def test_one_that_nobody_calls_shows_that_it_lives(double: Doubler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesce, "WAIT_S", 0.01)
    coalescer = Coalescer("test", double, most=10)
    until(lambda: coalescer.loop.steps > 1, 10)
    coalescer.close()
    assert coalescer.loop.name == "test"


def test_a_wrong_number_of_answers_is_an_error_not_a_crossed_answer() -> None:
    coalescer: Coalescer[int, int] = Coalescer("test", lambda numbers: [*numbers, 0], most=10)
    with pytest.raises(ValueError, match="zip"):
        coalescer(1)
