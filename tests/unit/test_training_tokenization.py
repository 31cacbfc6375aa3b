from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.artifact import TokenizerOptions
from tests.tiny_artifact import VOCABULARY_TOKENS
from training.pretrained import tokenization as trainers
from worker.engine import tokenization as workers

OPTIONS = [
    TokenizerOptions(lowercase=True, strip_accents=True),
    TokenizerOptions(lowercase=False, strip_accents=False),
    TokenizerOptions(lowercase=True, strip_accents=False, handle_chinese_chars=False),
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in VOCABULARY_TOKENS))
    return path


@pytest.mark.parametrize("options", OPTIONS, ids=["uncased", "cased", "accents_kept"])
@given(
    texts=st.lists(st.text(max_size=60) | st.sampled_from(["[SEP] sort", "Ünïcode", "東京", "c++ " * 20]), max_size=5)
)
def test_trainer_and_worker_read_every_text_alike(
    vocabulary: Path, options: TokenizerOptions, texts: list[str]
) -> None:
    ids, lengths = trainers.TextTokenizer(vocabulary, options).encode(texts, max_length=16)

    encoded = workers.TextTokenizer(vocabulary, options, max_length=16).encode(texts)
    assert [text.tolist() for text in ids] == [each.ids.tolist() for each in encoded]
    assert lengths.tolist() == [each.length for each in encoded]


def test_more_texts_than_a_chunk_keep_their_order(vocabulary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = trainers.TextTokenizer(vocabulary, OPTIONS[0])
    texts = ["sort", "a list", "null pointer", "", "select rows"]
    expected = [text.tolist() for text in tokenizer.encode(texts, 16)[0]]

    monkeypatch.setattr(trainers, "CHUNK", 2)

    assert [text.tolist() for text in tokenizer.encode(texts, 16)[0]] == expected
