"""Calls that many threads make at the same time, made as one.

Whatever arrives while one call runs goes out together with the next: no timer, no added delay when idle, and few
round trips when busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event
from typing import Generic, TypeVar

from contract.errors import RetortError
from contract.loop import Loop

WAIT_S = 1.0

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(kw_only=True)
class _Call(Generic[Item, Result]):
    item: Item
    done: Event = field(default_factory=Event)
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None


class Coalescer(Generic[Item, Result]):
    """Hands items in batches to `function`, which answers each in its place."""

    def __init__(self, name: str, function: Callable[[Sequence[Item]], Sequence[Result]], most: int) -> None:
        self._function = function
        self._most = most
        self._calls: SimpleQueue[_Call[Item, Result] | None] = SimpleQueue()
        self.loop = Loop(name, self._answer_next, wake=lambda: self._calls.put(None))
        self.loop.start()

    def __call__(self, item: Item) -> Result:
        """`function`'s answer for this item. Raises what `function` raised for it."""
        call: _Call[Item, Result] = _Call(item=item)
        self._calls.put(call)
        call.done.wait()
        if call.error is not None:
            raise call.error
        return call.results[0]

    def close(self) -> None:
        """Answer what has come in, then stop."""
        self.loop.stop()
        while not self._calls.empty():
            self._answer_next()

    def _answer_next(self) -> None:
        """Wait for a call, and answer it with all that have come meanwhile.

        Nothing of them outlives this step: a big item must not stay until the next one comes.
        """
        try:
            first = self._calls.get(timeout=WAIT_S)
        except Empty:
            return
        if first is not None:
            self._answer([first, *self._waiting(self._most - 1)])

    def _waiting(self, most: int) -> Iterator[_Call[Item, Result]]:
        for _ in range(most):
            try:
                call = self._calls.get_nowait()
            except Empty:
                return
            if call is None:
                return
            yield call

    def _answer(self, batch: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = self._function([call.item for call in batch])
            for call, answer in zip(batch, results, strict=True):
                call.results.append(answer)
        except Exception as error:  # noqa: BLE001  each caller gets it
            # Redis fails all alike; any other error is one item's, and no neighbour's answer.
            if len(batch) > 1 and not isinstance(error, RetortError):
                for call in batch:
                    call.results.clear()
                    self._answer([call])
                return
            for call in batch:
                call.error = error
        for call in batch:
            call.done.set()
