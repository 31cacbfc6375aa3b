"""Tables are always cut alike, so that a run that goes on finds the windows that it left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retort_client.cli.errors import BadInput
from retort_client.cli.table_rows import Row
from retort_client.cli.window_runner import PREFETCH, Sent, ahead
from retort_client.cli.windows import MOST_BYTES, Window, windows


def cut(texts: list[str], most: int) -> list[Window]:
    return list(windows((Row(n + 2, {"post": text}) for n, text in enumerate(texts)), "post", most, "q"))


@given(st.lists(st.text(max_size=5), max_size=30), st.integers(1, 10))
def test_windows_hold_every_row_once_and_in_order(texts: list[str], most: int) -> None:
    found = cut(texts, most)
    assert [text for window in found for text in window.texts] == texts
    assert [window.number for window in found] == list(range(len(found)))
    assert all(window.first == sum(len(earlier.rows) for earlier in found[: window.number]) for window in found)
    assert all(len(window.rows) == most for window in found[:-1])


def test_long_texts_make_shorter_windows() -> None:
    texts = ["x" * (MOST_BYTES // 3)] * 7 + ["é" * MOST_BYTES, "b"]
    assert [len(window.rows) for window in cut(texts, 1000)] == [3, 3, 1, 1, 1]


def test_a_digest_tells_whether_all_rows_up_to_there_are_the_same() -> None:
    texts = [f"{n}" for n in range(10)]
    digests = [window.digest for window in cut(texts, 3)]
    assert [window.digest for window in cut([*texts, "more"], 3)][:3] == digests[:3]
    changed = [window.digest for window in cut(["other", *texts[1:]], 3)]
    assert all(ours != theirs for ours, theirs in zip(digests, changed, strict=True))


@pytest.mark.parametrize("cells", [{"other": "a"}, {"post": 3}, {"post": None}])
def test_a_row_without_a_text_is_named(cells: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="q, line 7: no text in 'post'"):
        list(windows([Row(7, cells)], "post", 10, "q"))


@pytest.mark.parametrize("count", [0, 1, PREFETCH, PREFETCH + 1, 10])
def test_windows_are_sent_ahead_and_read_in_order(count: int) -> None:
    sent: list[int] = []

    def send(number: int) -> Sent:
        sent.append(number)
        return Sent(
            window=Window(number=number, first=number, rows=[], texts=[], digest=""), sending=0, refused={}, job=None
        )

    for read, one in enumerate(ahead(map(send, range(count)))):
        assert one.window.number == read
        assert len(sent) == min(read + 1 + PREFETCH, count)
