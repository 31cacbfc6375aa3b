"""Text to WordPiece ids, many texts at once, in Rust and without the GIL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from contract.artifact import TokenizerOptions
from contract.errors import BadModel

Truncate = Literal["right", "left", "error"]
Ids = NDArray[np.int32]

PADDING, UNKNOWN, FIRST, LAST = "[PAD]", "[UNK]", "[CLS]", "[SEP]"

CHUNK = 10_000
"""Texts that are in memory in the tokenizer's own, large form at once."""


@dataclass(frozen=True, slots=True)
class EncodedText:
    """One text as the model reads it."""

    ids: Ids
    """int32[tokens], [CLS] and [SEP] included; empty when the text is too long and may not be cut."""
    length: int
    """Tokens of the whole text, [CLS] and [SEP] included."""
    empty: bool = False
    """Whether the tokenizer leaves nothing of the text, as of one made of invisible characters."""
    unknown_share: float = 0.0
    """How much of the whole text the vocabulary can't spell, from 0 to 1: its unknown tokens over all its tokens."""

    @property
    def truncated(self) -> bool:
        return len(self.ids) < self.length

    @property
    def too_long(self) -> bool:
        return not len(self.ids)


class TextTokenizer:
    """BERT's tokenizer (Devlin et al. 2018) with a model's vocabulary and options. Safe to share by threads.

    A special token's name inside a text is text: "[SEP]" becomes "[", "sep", "]", as in Google's own tokenizer.
    """

    def __init__(self, vocabulary: Path, options: TokenizerOptions, max_length: int) -> None:
        """Raises BadModel when the vocabulary lacks a token that BERT needs."""
        ids = read_vocabulary(vocabulary)
        self.vocabulary_size = 1 + max(ids.values())
        self._first, self._last, self._unknown = np.int32(ids[FIRST]), np.int32(ids[LAST]), ids[UNKNOWN]
        self._body = max_length - 2
        self._tokenizer = Tokenizer(models.WordPiece(ids, unk_token=UNKNOWN))
        self._tokenizer.normalizer = normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=options.handle_chinese_chars,
            strip_accents=options.strip_accents,
            lowercase=options.lowercase,
        )
        self._tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def encode(self, texts: Sequence[str], truncate: Truncate = "right") -> list[EncodedText]:
        """One EncodedText per text, in order. `truncate` says which end of a text that is too long is cut off."""
        return [
            self._encoded(encoding.ids, truncate)
            for start in range(0, len(texts), CHUNK)
            for encoding in self._tokenizer.encode_batch_fast(texts[start : start + CHUNK], add_special_tokens=False)
        ]

    def _encoded(self, body: list[int], truncate: Truncate) -> EncodedText:
        length, empty = len(body) + 2, not body
        unknown = 0.0 if empty else body.count(self._unknown) / len(body)
        if len(body) > self._body:
            if truncate == "error":
                return EncodedText(np.empty(0, np.int32), length, empty, unknown)
            body = body[-self._body :] if truncate == "left" else body[: self._body]
        ids = np.empty(len(body) + 2, np.int32)
        ids[0], ids[1:-1], ids[-1] = self._first, body, self._last
        return EncodedText(ids, length, empty, unknown)


def read_vocabulary(path: Path) -> dict[str, int]:
    """Ids by token of a `vocab.txt`: the line number, from 0. Raises BadModel when BERT's own tokens are missing."""
    try:
        # Only "\n" ends a line: some tokens are other characters that Unicode counts as line breaks.
        lines = path.read_bytes().decode().removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BadModel(f"{path}: {error}") from error
    ids = {token.removesuffix("\r"): number for number, token in enumerate(lines)}
    if missing := [token for token in (UNKNOWN, FIRST, LAST) if token not in ids]:
        raise BadModel(f"{path}: has no {', '.join(missing)}")
    return ids
