from __future__ import annotations

import pytest

from contract.artifact import TokenizerOptions
from encoders import tokenization
from encoders.tokenization import TextTokenizer
from harness.tiny_artifact import tiny_pipeline


@pytest.fixture
def tokenizer() -> TextTokenizer:
    return TextTokenizer(tiny_pipeline(), TokenizerOptions(), max_length=16)


def test_more_texts_than_a_chunk_keep_their_order(tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["sort", "a list", "null pointer", "", "select rows"]
    expected = [text.ids.tolist() for text in tokenizer.encode(texts)]

    monkeypatch.setattr(tokenization, "CHUNK", 2)

    assert [text.ids.tolist() for text in tokenizer.encode(texts)] == expected


@pytest.mark.parametrize("text", ["", " \t\n", "\u200b", "\u200d\u200b\u2060", "\x00\x07", "\ufeff", "\u0301"])
def test_a_text_of_which_nothing_is_left_is_empty(tokenizer: TextTokenizer, text: str) -> None:
    assert tokenizer.encode([text])[0].empty


@pytest.mark.parametrize("text", [".", "a", "\u200ba", "語", "[UNK]"])
def test_a_text_of_which_anything_is_left_is_not_empty(tokenizer: TextTokenizer, text: str) -> None:
    assert not tokenizer.encode([text])[0].empty


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("sort a list", 0.0), ("sort 語 list 学", 0.5), ("日本語", 1.0), ("日本語" * 20, 1.0)],
)
def test_the_share_of_unknown_tokens_is_that_of_the_whole_text(
    tokenizer: TextTokenizer, text: str, share: float
) -> None:
    assert tokenizer.encode([text])[0].unknown_share == share
