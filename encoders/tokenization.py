"""Text to ids, many texts at once, in Rust and without the GIL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from contract.artifact import TOKENIZER, TokenizerOptions, WordPieceOptions
from contract.errors import BadModel
from contract.windows import Windows
from encoders.spelling import unread_tokens
from encoders.windows import window_starts

Truncate = Literal["right", "left", "error"]
Ids = NDArray[np.int32]

UNKNOWN, FIRST, LAST = "[UNK]", "[CLS]", "[SEP]"
BYTES = '"ByteLevel"'
"""What a pipeline names where letters are bytes."""

CUT: Mapping[Truncate, Literal["right", "left"]] = {"right": "right", "left": "left", "error": "right"}
"""The end that is left out where not all can be read."""
CHUNK = 10_000
"""Texts that are in memory in the tokenizer's own, large form at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedText:
    """One text as the model reads it."""

    ids: Ids
    """int32[tokens], [CLS] and [SEP] included; empty when the text is too long and may not be cut."""
    length: int
    """Tokens of the whole text, [CLS] and [SEP] included."""
    empty: bool = False
    """Whether the tokenizer leaves nothing of the text, as of one made of invisible characters."""
    more: tuple[Ids, ...] = ()
    """The windows after the first, which are `ids`, where a long text is read in several."""
    covered: int = 0
    """Tokens of the text that its windows hold, [CLS] and [SEP] included; 0 where there is one."""
    skipped: int = 0
    """Tokens of the text before those that are read."""
    unknown_share: float = 0.0
    """Of all tokens of the whole text, the share that stands for nothing the model has learnt, from 0 to 1: unknown
    ones, and letters of a script that the vocabulary can only spell."""

    @property
    def truncated(self) -> bool:
        return (self.covered or len(self.ids)) < self.length

    @property
    def windows(self) -> tuple[Ids, ...]:
        return (self.ids, *self.more)

    @property
    def too_long(self) -> bool:
        return not len(self.ids)


class TextTokenizer:
    """A model's own tokenizer. Safe to share by threads."""

    def __init__(self, pipeline: str, options: TokenizerOptions, max_length: int) -> None:
        """`pipeline` is what a `tokenizer.json` holds. Raises BadModel when it can't be read, or marks no text's ends.

        A text has `max_length` tokens at most, those that mark its ends included.
        """
        self._tokenizer = _parsed(pipeline)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = options.special_tokens == "text"
        self.vocabulary_size = 1 + max(self._tokenizer.get_vocab(with_added_tokens=True).values())
        self._unread = _unread(self._tokenizer, json.loads(pipeline))
        self._first, self._last = _ends(self._tokenizer)
        self._special = len(self._first) + len(self._last)
        self._body = max_length - self._special

    def encode(
        self, texts: Sequence[str], truncate: Truncate = "right", windows: Windows | None = None, most: int = 1
    ) -> list[EncodedText]:
        """One EncodedText per text, in order. `truncate` says which end of a text that is too long is cut off.

        With `windows` a longer text is read in up to `most` of them, and too long when it needs more.
        """
        return [
            self._encoded(encoding.ids, truncate, windows, most)
            for start in range(0, len(texts), CHUNK)
            for encoding in self._tokenizer.encode_batch_fast(texts[start : start + CHUNK], add_special_tokens=False)
        ]

    def span(self, text: str, read: EncodedText) -> tuple[int, int]:
        """Where the part of the text begins and ends that is read, so that it is `text[begin:end]`."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        stop = read.skipped + (read.covered or len(read.ids)) - self._special
        begin = offsets[read.skipped][0] if read.skipped else 0
        return begin, offsets[stop - 1][1] if stop < len(offsets) else len(text)

    def _encoded(self, body: list[int], truncate: Truncate, windows: Windows | None, most: int) -> EncodedText:
        length, size = len(body) + self._special, self._body
        starts, cut = [0], CUT[truncate]
        if len(body) > size and windows:
            size = windows.length - self._special
            starts = window_starts(len(body), size, windows.stride, most + (truncate == "error"), cut)
        elif truncate == "left":
            starts = [max(0, len(body) - size)]
        too_long = truncate == "error" and (len(starts) > most if windows else len(body) > size)
        pieces = [] if too_long else [self._marked(body[start : start + size]) for start in starts]
        return EncodedText(
            ids=pieces[0] if pieces else np.empty(0, np.int32),
            length=length,
            empty=not body,
            more=tuple(pieces[1:]),
            covered=starts[-1] + size - starts[0] + self._special if len(starts) > 1 else 0,
            skipped=starts[0],
            unknown_share=self._unknown_share(body),
        )

    def _marked(self, body: list[int]) -> Ids:
        return np.array(self._first + body + self._last, np.int32)

    def _unknown_share(self, body: list[int]) -> float:
        return 0.0 if self._unread.isdisjoint(body) else sum(map(self._unread.__contains__, body)) / len(body)


def read_tokenizer(folder: Path, options: TokenizerOptions, max_length: int) -> TextTokenizer:
    """The tokenizer of the artifact in `folder`. Raises BadModel, naming the file."""
    path = folder / options.file
    try:
        pipeline = (
            wordpiece_pipeline(read_vocabulary(path), options.wordpiece)
            if options.wordpiece
            else path.read_bytes().decode()
        )
        return TextTokenizer(pipeline, options, max_length)
    except (OSError, UnicodeDecodeError) as error:
        raise BadModel(f"{path}: {error}") from error


def wordpiece_pipeline(ids: Mapping[str, int], options: WordPieceOptions) -> str:
    """BERT's tokenizer (Devlin et al. 2018) with this vocabulary, as a `tokenizer.json`."""
    tokenizer = Tokenizer(models.WordPiece(dict(ids), unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=options.handle_chinese_chars,
        strip_accents=options.strip_accents,
        lowercase=options.lowercase,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        pair=f"{FIRST} $A {LAST} $B:1 {LAST}:1",
        special_tokens=[(FIRST, ids[FIRST]), (LAST, ids[LAST])],
    )
    pipeline: str = tokenizer.to_str()
    return pipeline


def _parsed(pipeline: str) -> Tokenizer:
    try:
        return Tokenizer.from_str(pipeline)
    except Exception as error:  # the library raises nothing more exact
        raise BadModel(f"{TOKENIZER}: {error}") from error


def _ends(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens before and after a text. Raises BadModel when there is none before it."""
    encoded = tokenizer.encode("a")
    mask = encoded.special_tokens_mask
    body = [place for place, special in enumerate(mask) if not special]
    if not body or not mask[0]:
        raise BadModel(f"{TOKENIZER}: puts no special token before a text, and a classifier reads the first token")
    return encoded.ids[: body[0]], encoded.ids[body[-1] + 1 :]


def _unread(tokenizer: Tokenizer, pipeline: Mapping[str, Any]) -> frozenset[int]:
    """See `unread_tokens`; none where every text can be spelt, by its bytes or otherwise."""
    token = pipeline["model"].get("unk_token")
    unknown = pipeline["model"].get("unk_id") if token is None else tokenizer.token_to_id(token)
    if unknown is None or BYTES in json.dumps([pipeline.get("pre_tokenizer"), pipeline.get("decoder")]):
        return frozenset()
    return unread_tokens(tokenizer.get_vocab(with_added_tokens=True), int(unknown))


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
