from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from worker.pipeline.answer_cache import OVERHEAD_BYTES, AnswerCache

ROW = np.array([0.25, 0.75], np.float32)
ENTRY = OVERHEAD_BYTES + ROW.nbytes + 1


def row(number: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([number / 256, 1 - number / 256], np.float32)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 255)), max_size=60), st.integers(0, 12))
def test_what_is_found_is_what_was_kept_and_memory_is_bounded(kept: list[tuple[str, int]], entries: int) -> None:
    cache = AnswerCache(entries * ENTRY)
    for version, number in kept:
        cache.keep(version, [bytes([number])], row(number)[None])
        assert len(cache) <= entries
    for version, number in kept:
        [found] = cache.find(version, [bytes([number])])
        assert found is None or (found == row(number)).all()


def test_another_version_has_answers_of_its_own() -> None:
    cache = AnswerCache(10 * ENTRY)
    cache.keep("old", [b"a"], ROW[None])
    assert cache.find("new", [b"a"]) == [None]
    [found] = cache.find("old", [b"a"])
    assert found is not None


def test_what_was_not_asked_for_longest_goes_first() -> None:
    cache = AnswerCache(2 * ENTRY)
    cache.keep("v", [b"a", b"b"], np.stack([ROW, ROW]))
    cache.find("v", [b"a"])
    cache.keep("v", [b"c"], ROW[None])
    assert [found is not None for found in cache.find("v", [b"a", b"b", b"c"])] == [True, False, True]


def test_a_kept_answer_does_not_hold_the_batch_that_it_came_from() -> None:
    cache, rows = AnswerCache(10 * ENTRY), np.stack([ROW, ROW])
    cache.keep("v", [b"a"], rows[:1])
    rows[:] = 0
    [found] = cache.find("v", [b"a"])
    assert found is not None
    assert (found == ROW).all()
    assert found.base is None


def test_a_cache_without_memory_keeps_nothing() -> None:
    cache = AnswerCache(0)
    cache.keep("v", [b"a"], ROW[None])
    assert cache.find("v", [b"a"]) == [None]
