from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from contract.artifact import TokenizerOptions, WordPieceOptions
from encoders import tokenization
from encoders.tokenization import TextTokenizer, wordpiece_pipeline
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


# An English vocabulary in small: words of Latin letters, and single letters of other scripts.
ENGLISH = ["sort", "list", "##ing", "##s", "кот", "1", "+", *(f"word{number}" for number in range(30))]
LETTERS = ["a", "##b", *"これは", "##れ", "##は", *"приветко", "##о", *"文字", "é"]


def share(text: str, *more: str, pipeline: Callable[[str], str] = str) -> float:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ENGLISH, *LETTERS, *more]
    ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    made = wordpiece_pipeline(ids, WordPieceOptions(lowercase=True, strip_accents=False))
    return TextTokenizer(pipeline(made), TokenizerOptions(), max_length=16).encode([text])[0].unknown_share


@pytest.mark.parametrize(
    ("text", "unknown"),
    [("sorts a list", 0), ("これは", 1), ("これは文字", 1), ("привет", 1), ("sort これ", 2 / 3), ("é 1 +", 0)],
)
def test_letters_of_a_script_that_the_vocabulary_has_no_words_in_are_not_known(text: str, unknown: float) -> None:
    assert share(text, "##р", "##и", "##в", "##е", "##т") == pytest.approx(unknown)


def test_letters_of_a_script_with_more_words_than_letters_are_known() -> None:
    assert share("これは", "して", "です", "##ます", "この", "その", "##した") == 0.0


def test_a_vocabulary_of_single_characters_knows_them() -> None:
    """As those of Chinese are: that is how the model learnt to read."""
    assert share("文字", *map(chr, range(0x4E00, 0x4E20))) == 0.0


def test_a_script_of_which_a_thousand_characters_are_known_is_read_in_characters() -> None:
    words = [f"w{number}x" for number in range(2000)]
    characters = [chr(0x4E00 + number) for number in range(1000)]
    assert share("一丁", *words, *characters[:900]) == 1.0
    assert share("一丁", *words, *characters) == 0.0


def test_a_vocabulary_of_bytes_has_no_unknown_words() -> None:
    def of_bytes(pipeline: str) -> str:
        decoder = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
        return json.dumps({**json.loads(pipeline), "decoder": decoder})

    assert share("これは") == 1.0
    assert share("これは", pipeline=of_bytes) == 0.0
