"""Every kind of tokenizer file against the ids that transformers gave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contract.artifact import TokenizerOptions
from encoders.tokenization import TextTokenizer
from tests.references.folders import REFERENCES, TOKENIZERS
from tests.references.hard_texts import TEXTS
from training.pretrained.tokenizer_files import read_tokenizer_files

MAX_LENGTH = 64
AS_IMPORTED = TokenizerOptions(special_tokens="tokens")


@pytest.mark.parametrize("form", ["saved", "files"])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_hard_text_gets_the_ids_of_transformers(name: str, form: str) -> None:
    folder = REFERENCES / "tokenizers" / name
    expected = json.loads((folder / "ids.json").read_bytes())
    stored = read_tokenizer_files(folder / form, name.replace("_", "-"))

    encoded = TextTokenizer(stored.pipeline, AS_IMPORTED, MAX_LENGTH).encode(TEXTS)

    different = [text for text, own, ids in zip(TEXTS, encoded, expected, strict=True) if own.ids.tolist() != ids]
    assert different == []
    assert len(TEXTS) >= 200


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_special_tokens_name_is_text_where_training_says_so(name: str) -> None:
    stored = read_tokenizer_files(REFERENCES / "tokenizers" / name / "saved", name)
    text = "<s> [CLS] </s> [SEP] <pad> [PAD] <unk> [UNK]"

    as_text = TextTokenizer(stored.pipeline, TokenizerOptions(), MAX_LENGTH).encode([text])[0]
    as_tokens = TextTokenizer(stored.pipeline, AS_IMPORTED, MAX_LENGTH).encode([text])[0]

    assert as_text.length > as_tokens.length


@pytest.mark.parametrize(("told", "limit"), [(48, 48), (10**30, None), (None, None), (1, None), ("many", None)])
def test_the_maximum_length_is_the_tokenizers_if_it_has_one(tmp_path: Path, told: object, limit: int | None) -> None:
    for file in (REFERENCES / "tokenizers" / "wordpiece" / "files").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": told}))

    assert read_tokenizer_files(tmp_path, "bert").max_length == limit
