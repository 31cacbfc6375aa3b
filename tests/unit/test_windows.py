"""Long texts are cut into windows that miss nothing, and what the model says of those is pooled."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.artifact import TokenizerOptions
from contract.windows import Windows
from encoders.tokenization import TextTokenizer, Truncate
from encoders.windows import pool, row_of_windows, window_starts
from harness.long_texts import window_ids
from harness.tiny_artifact import tiny_pipeline

MAX_LENGTH = 12
WINDOWS = Windows(pooling="mean", length=10, stride=5)


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer(tiny_pipeline(), TokenizerOptions(), MAX_LENGTH)


@given(st.integers(2, 300), st.integers(1, 50), st.integers(1, 50))
def test_windows_hold_every_token_and_the_last_ends_with_the_text(tokens: int, size: int, stride: int) -> None:
    stride = min(stride, size)
    starts = window_starts(tokens, min(size, tokens - 1), stride, tokens, "right")
    held = {token for start in starts for token in range(start, start + min(size, tokens - 1))}
    assert held == set(range(tokens))
    assert len(starts) == len(set(starts))


@given(st.integers(0, 60), st.integers(1, 20), st.sampled_from(get_args(Truncate)[:2]))
def test_a_text_is_read_in_the_windows_that_a_loop_finds(words: int, most: int, cut: Truncate) -> None:
    tokenizer = TextTokenizer(tiny_pipeline(), TokenizerOptions(), MAX_LENGTH)
    text = " ".join(chr(ord("a") + n % 26) for n in range(words))
    whole = TextTokenizer(tiny_pipeline(), TokenizerOptions(), 500).encode([text])[0].ids.tolist()
    expected = window_ids(whole, MAX_LENGTH, WINDOWS)

    [found] = tokenizer.encode([text], cut, WINDOWS, most)

    kept = expected[-most:] if cut == "left" else expected[:most]
    assert [ids.tolist() for ids in found.windows] == kept
    assert found.truncated == (len(kept) < len(expected))
    assert found.length == len(whole)


def test_a_text_with_more_windows_than_may_be_is_too_long_where_none_may_be_cut(tokenizer: TextTokenizer) -> None:
    [found] = tokenizer.encode(["a " * 30], "error", WINDOWS, 5)
    assert found.too_long
    [found] = tokenizer.encode(["a " * 28], "error", WINDOWS, 5)
    assert (len(found.windows), found.truncated) == (5, False)
    assert WINDOWS.reach(5) == 30


def test_without_windows_a_text_is_cut_as_before(tokenizer: TextTokenizer) -> None:
    [right], [left] = (tokenizer.encode(["a " * 20 + "b"], cut) for cut in ("right", "left"))
    assert (len(right.windows), len(right.ids), right.truncated) == (1, MAX_LENGTH, True)
    assert right.ids[-2] != left.ids[-2]


@given(
    st.lists(st.sampled_from(["sort", "a list", "  ", "\n", "語", "🙂", "é", "null pointer.", "\u200b"]), max_size=60),
    st.sampled_from(get_args(Truncate)[:2]),
    st.sampled_from([None, WINDOWS]),
    st.integers(1, 4),
)
def test_the_span_of_a_text_that_is_cut_off_is_what_the_model_reads_of_it(
    pieces: list[str], cut: Truncate, windows: Windows | None, most: int
) -> None:
    tokenizer = TextTokenizer(tiny_pipeline(), TokenizerOptions(), MAX_LENGTH)
    text = " ".join(pieces)
    [read] = tokenizer.encode([text], cut, windows, most)

    begin, end = tokenizer.span(text, read)

    whole = TextTokenizer(tiny_pipeline(), TokenizerOptions(), 500)
    [part], [of_all] = whole.encode([text[begin:end]]), whole.encode([text])
    tokens = read.covered or len(read.ids)
    body = of_all.ids[1:-1].tolist()[read.skipped : read.skipped + tokens - 2]
    assert part.ids[1:-1].tolist() == body
    assert read.truncated or (begin, end) == (0, len(text))
    assert begin == 0 or cut == "left"
    assert end == len(text) or cut == "right"


def test_logits_are_pooled_label_by_label() -> None:
    logits = np.array([[1.0, -3.0, 0.0], [3.0, 1.0, -6.0]])
    assert pool(logits, "mean").tolist() == [2.0, -1.0, -3.0]
    assert pool(logits, "max").tolist() == [3.0, 1.0, 0.0]


@pytest.mark.parametrize("distances", [[], [[0.5], [0.25]]])
def test_a_row_of_windows_has_the_scores_of_pooled_logits_and_the_distance_of_the_nearest(
    distances: list[list[float]],
) -> None:
    logits = np.array([[1.0, -1.0, 0.0], [3.0, -3.0, 2.0]])
    columns = [np.zeros_like(logits), logits, *([np.array(distances)] if distances else [])]

    row = row_of_windows(np.hstack(columns), 3, "mean", "sigmoid")

    np.testing.assert_allclose(row[:3], 1 / (1 + np.exp(-np.array([2.0, -2.0, 1.0]))), rtol=1e-6)
    assert row[3:].tolist() == [2.0, -2.0, 1.0, *([0.25] if distances else [])]
