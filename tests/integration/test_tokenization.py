from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.artifact import TokenizerOptions, WordPieceOptions
from contract.errors import BadModel
from encoders.tokenization import TextTokenizer, read_vocabulary, wordpiece_pipeline
from harness.tiny_artifact import VOCABULARY_TOKENS
from training.bert_compat import bert_layer  # noqa: F401 bert-for-tf2 can't be imported without what this prepares
from training.pretrained import minilm

from bert.tokenization.bert_tokenization import FullTokenizer  # isort: skip

UNCASED = WordPieceOptions(lowercase=True, strip_accents=True)
CASED = WordPieceOptions(lowercase=False, strip_accents=False)
MAX_LENGTH = 32
TRICKY = [
    "",
    "   \t\n ",
    "unaffable",
    "Café NAÏVE Ångström",
    "don't stop, e.g. C++/C# (v2.0)!",
    "[SEP] [CLS] [MASK] is text",
    "机器学习 and 日本語",
    "emoji 😀 and \u200bzero\u00a0width",
    "\ufffd\x00control\x07",
    "a" * 250,
    "null_pointer->value == 0x7fff && x[i]++;",
]
letters = st.text(
    st.characters(max_codepoint=0x17F, exclude_categories=("Cc", "Cf", "Cn")) | st.sampled_from("学習\n\t")
)


@pytest.fixture(scope="module")
def vocabulary() -> Path:
    return minilm.folder() / "vocab.txt"


def tokenizer_of(vocabulary: Path, options: WordPieceOptions, max_length: int) -> TextTokenizer:
    pipeline = wordpiece_pipeline(read_vocabulary(vocabulary), options)
    return TextTokenizer(pipeline, TokenizerOptions(), max_length)


@pytest.mark.parametrize("options", [UNCASED, CASED], ids=["uncased", "cased"])
def test_ids_equal_those_of_googles_own_tokenizer(vocabulary: Path, options: WordPieceOptions) -> None:
    google = FullTokenizer(str(vocabulary), do_lower_case=options.lowercase)
    ours = tokenizer_of(vocabulary, options, max_length=4096)

    def compare(text: str) -> None:
        expected = google.convert_tokens_to_ids(["[CLS]", *google.tokenize(text), "[SEP]"])
        assert ours.encode([text])[0].ids.tolist() == expected

    for text in TRICKY:
        compare(text)
    given(letters)(compare)()


@pytest.fixture(scope="module")
def tokenizer(vocabulary: Path) -> TextTokenizer:
    return tokenizer_of(vocabulary, UNCASED, MAX_LENGTH)


def test_a_text_that_fits_is_not_cut(tokenizer: TextTokenizer) -> None:
    (encoded,) = tokenizer.encode(["loop " * (MAX_LENGTH - 2)])
    assert (len(encoded.ids), encoded.length, encoded.truncated) == (MAX_LENGTH, MAX_LENGTH, False)


def test_the_end_of_a_long_text_is_cut_off_or_its_beginning(tokenizer: TextTokenizer) -> None:
    text = "first " + "loop " * 100 + "last"
    first, loop, last = tokenizer.encode(["first loop last"])[0].ids[1:-1]
    (right,), (left,) = tokenizer.encode([text], "right"), tokenizer.encode([text], "left")
    assert right.ids[1] == first
    assert right.ids[-2] == loop
    assert left.ids[1] == loop
    assert left.ids[-2] == last
    for encoded in (right, left):
        assert encoded.truncated
        assert encoded.length == 104
        assert len(encoded.ids) == MAX_LENGTH
        assert (encoded.ids[0], encoded.ids[-1]) == (right.ids[0], right.ids[-1])


def test_a_text_that_may_not_be_cut_comes_back_without_ids(tokenizer: TextTokenizer) -> None:
    short, long = tokenizer.encode(["loop", "loop " * 100], "error")
    assert not short.too_long
    assert long.too_long
    assert long.length == 102


def test_a_text_encodes_alike_alone_and_among_others(tokenizer: TextTokenizer) -> None:
    together = tokenizer.encode(TRICKY)
    assert [encoded.ids.tolist() for encoded in together] == [
        tokenizer.encode([text])[0].ids.tolist() for text in TRICKY
    ]


def test_the_line_number_is_the_id_whatever_ends_lines_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_bytes("[UNK]\n\u2028\n[CLS]\r\n[SEP]\n".encode())
    assert read_vocabulary(path) == {"[UNK]": 0, "\u2028": 1, "[CLS]": 2, "[SEP]": 3}


def test_a_vocabulary_without_a_token_that_bert_needs_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(token for token in VOCABULARY_TOKENS if token != "[SEP]"))  # noqa: S105 no password
    with pytest.raises(BadModel, match=r"has no \[SEP\]"):
        read_vocabulary(path)
