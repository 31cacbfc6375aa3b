from __future__ import annotations

import gc
import weakref

from contract import memory


class Circle:
    def __init__(self) -> None:
        self.own = self


def test_what_refers_to_itself_is_collected_when_memory_is_given_back() -> None:
    gc.disable()
    try:
        circle = Circle()
        seen = weakref.ref(circle)
        del circle
        assert seen() is not None
        memory.release()
        assert seen() is None
    finally:
        gc.enable()


def test_what_lives_as_long_as_the_process_is_looked_at_no_more() -> None:
    kept = Circle()
    try:
        memory.settle()
        assert not any(each is kept for each in gc.get_objects())
    finally:
        gc.unfreeze()
