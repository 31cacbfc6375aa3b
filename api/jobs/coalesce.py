"""Calls that many threads make at the same time, made as one.

Whatever arrives while one call runs goes out together with the next: no timer, no added delay when idle, and few
round trips when busy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
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
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __call__(self, item: Item) -> Result:
        """`function`'s answer for this item. Raises what `function` raised for the batch."""
        call: _Call[Item, Result] = _Call(item)
        self._calls.put(call)
        call.done.wait()
        if call.error is not None:
            raise call.error
        return call.results[0]

    def close(self) -> None:
        """Answer what has come in, then stop."""
        self._calls.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._calls.get()) is not None:
            batch = [first]
            while len(batch) < self._most:
                try:
                    call = self._calls.get_nowait()
                except Empty:
                    break
                if call is None:
                    self._calls.put(None)
                    break
                batch.append(call)
            self._answer(batch)

    def _answer(self, batch: Sequence[_Call[Item, Result]]) -> None:
        try:
            results = self._function([call.item for call in batch])
            for call, answer in zip(batch, results, strict=True):
                call.results.append(answer)
        except Exception as error:  # noqa: BLE001  each caller gets it
            for call in batch:
                call.error = error
        for call in batch:
            call.done.set()
