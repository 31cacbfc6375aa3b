"""Text to WordPiece ids, as the worker does it: the same library, the same options, the same truncation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from contract.artifact import TokenizerOptions
from training.errors import BadBaseModel
from training.pretrained.base_model import vocabulary_tokens

Ids = NDArray[np.int32]

PADDING, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

CHUNK = 10_000
"""Texts that are in memory in the tokenizer's own, large form at once."""


class TextTokenizer:
    """BERT's tokenizer (Devlin et al. 2018). A special token's name inside a text is text, as in Google's own."""

    def __init__(self, vocabulary: Path, options: TokenizerOptions) -> None:
        """Raises BadBaseModel when the vocabulary lacks a token that BERT needs."""
        ids = {token: number for number, token in enumerate(vocabulary_tokens(vocabulary))}
        if missing := [token for token in (PADDING, UNKNOWN, FIRST, LAST) if token not in ids]:
            raise BadBaseModel(f"{vocabulary}: has no {', '.join(missing)}")
        if ids[PADDING]:
            raise BadBaseModel(f"{vocabulary}: {PADDING} is token {ids[PADDING]}, BERT masks token 0")
        self._first, self._last = ids[FIRST], ids[LAST]
        self._tokenizer = Tokenizer(models.WordPiece(ids, unk_token=UNKNOWN))
        self._tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=options.handle_chinese_chars,
            strip_accents=options.strip_accents,
            lowercase=options.lowercase,
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def encode(self, texts: Sequence[str], max_length: int) -> tuple[list[Ids], NDArray[np.int64]]:
        """int32[tokens] per text, [CLS] and [SEP] included, what exceeds `max_length` cut off at the end; and
        int64[texts], the tokens of each whole text."""
        ids: list[Ids] = []
        lengths = np.empty(len(texts), np.int64)
        for start in range(0, len(texts), CHUNK):
            chunk = list(texts[start : start + CHUNK])
            for encoding in self._tokenizer.encode_batch_fast(chunk, add_special_tokens=False):
                body = encoding.ids
                lengths[len(ids)] = len(body) + 2
                ids.append(np.array([self._first, *body[: max_length - 2], self._last], np.int32))
        return ids, lengths
