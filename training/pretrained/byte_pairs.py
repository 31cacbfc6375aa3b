"""RoBERTa's byte-level BPE out of `vocab.json` and `merges.txt` (Radford et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from contract.errors import BadModel

VOCABULARY_JSON, MERGES = "vocab.json", "merges.txt"
FIRST, LAST = "<s>", "</s>"
SPECIAL_TOKENS = (FIRST, "<pad>", LAST, "<unk>")
MASK = AddedToken("<mask>", lstrip=True, special=True)


def byte_pair_pipeline(folder: Path, config: Mapping[str, Any]) -> str:
    """The tokenizer as a `tokenizer.json`. Raises BadModel when a file is broken or lacks RoBERTa's special tokens."""
    try:
        model = models.BPE.from_file(str(folder / VOCABULARY_JSON), str(folder / MERGES))
    except Exception as error:  # the library raises nothing more exact
        raise BadModel(f"{folder / VOCABULARY_JSON}: {error}") from error
    tokenizer = Tokenizer(model)
    first, last = tokenizer.token_to_id(FIRST), tokenizer.token_to_id(LAST)
    if first is None or last is None:
        raise BadModel(f"{folder / VOCABULARY_JSON}: has no {FIRST} or no {LAST}")
    prefix_space = bool(config.get("add_prefix_space", False))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    tokenizer.post_processor = processors.RobertaProcessing((LAST, last), (FIRST, first), True, prefix_space)
    tokenizer.add_special_tokens([token for token in SPECIAL_TOKENS if tokenizer.token_to_id(token) is not None])
    if tokenizer.token_to_id(MASK.content) is not None:
        tokenizer.add_special_tokens([MASK])
    pipeline: str = tokenizer.to_str()
    return pipeline
