from __future__ import annotations

from api.server.memory import MemoryReturn


def test_memory_is_given_back_once_most_of_many_clients_have_gone() -> None:
    open_now, released = [0], list[int]()
    memory = MemoryReturn(lambda: open_now[0], lambda: released.append(open_now[0]))
    for connections in (50, 3, 2000, 1900, 1200, 999, 900, 450, 500, 390, 0):
        open_now[0] = connections
        memory.look()
    assert released == [999, 450, 0]


def test_few_clients_that_come_and_go_cost_nothing() -> None:
    released: list[int] = []
    counts = iter([0, 99, 0, 99, 0])
    memory = MemoryReturn(lambda: next(counts), lambda: released.append(1))
    for _ in range(5):
        memory.look()
    assert released == []
