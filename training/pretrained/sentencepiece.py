"""Unigram tokenizers out of sentencepiece models (Kudo 2018, https://arxiv.org/abs/1804.10959).

Only three things of such a file are needed: the pieces with their scores, which of them stands for the unknown, and the
table that normalizes characters. They are read from its protocol buffers here, without the library.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from contract.errors import BadModel

SENTENCEPIECE_FILES = ("spiece.model", "sentencepiece.bpe.model", "sentencepiece.model")
SPACE = "▁"
UNIGRAM = 1

Pieces = list[tuple[str, float]]


@dataclass(frozen=True)
class _Model:
    pieces: Pieces
    character_map: bytes


def unigram_pipeline(path: Path, family: str, config: Mapping[str, Any]) -> str:
    """The tokenizer as a `tokenizer.json`, with the special tokens of the family. Raises BadModel."""
    model = _parse(path)
    pieces, ends, specials = _arranged(model.pieces, family)
    ids = {piece: number for number, (piece, _) in enumerate(pieces)}
    if missing := [token for token in (*ends, "<unk>") if token not in ids]:
        raise BadModel(f"{path}: has no {', '.join(missing)}")
    tokenizer = Tokenizer(models.Unigram(pieces, ids["<unk>"], False))
    steps = _albert_steps(config) if family == "albert" else []
    if model.character_map:
        steps.append(normalizers.Precompiled(model.character_map))
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{ends[0]} $A {ends[1]}", special_tokens=[(end, ids[end]) for end in ends]
    )
    for token in specials:
        if token in ids:
            mask = token.strip("<[]>").lower() == "mask"
            tokenizer.add_special_tokens([AddedToken(token, lstrip=mask, special=True, normalized=False)])
    pipeline: str = tokenizer.to_str()
    return pipeline


def _arranged(pieces: Pieces, family: str) -> tuple[Pieces, tuple[str, str], tuple[str, ...]]:
    """The pieces in the order of their ids, the tokens around a text, and the special tokens.

    XLM-RoBERTa and CamemBERT put fairseq's special tokens before sentencepiece's own pieces, and a mask behind them.
    """
    if family == "albert":
        return pieces, ("[CLS]", "[SEP]"), ("[CLS]", "[SEP]", "<pad>", "<unk>", "[MASK]")
    if family == "camembert":
        before = [("<s>NOTUSED", 0.0), ("<pad>", 0.0), ("</s>NOTUSED", 0.0), ("<unk>", 0.0), ("<unk>NOTUSED", -100.0)]
        arranged = [*before, *pieces[1:], ("<mask>", 0.0)]
    else:
        before = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
        arranged = [*before, *pieces[3:], ("<mask>", 0.0)]
    return arranged, ("<s>", "</s>"), ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def _albert_steps(config: Mapping[str, Any]) -> list[Any]:
    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not config.get("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if config.get("do_lower_case", True):
        steps.append(normalizers.Lowercase())
    return steps


def _parse(path: Path) -> _Model:
    try:
        pieces, kind, character_map = [], UNIGRAM, b""
        for field, value in _fields(path.read_bytes()):
            if field == 1:
                piece = dict(_fields(value))
                pieces.append((piece[1].decode(), struct.unpack("<f", piece.get(2, bytes(4)))[0]))
            elif field == 2:
                kind = dict(_fields(value)).get(3, UNIGRAM)
            elif field == 3:
                character_map = dict(_fields(value)).get(2, b"")
    except OSError as error:
        raise BadModel(f"{path}: {error.strerror}") from error
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, struct.error) as error:
        raise BadModel(f"{path}: not a sentencepiece model") from error
    if not pieces or kind != UNIGRAM:
        raise BadModel(f"{path}: holds no unigram model; save the tokenizer with a tokenizer.json")
    return _Model(pieces, character_map)


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protocol buffer: an int, or the bytes of anything else."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        if key & 7 == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        if key & 7 == 2:
            size, place = _varint(data, place)
        else:
            size = {1: 8, 5: 4}[key & 7]
        if place + size > len(data):
            raise ValueError("cut off")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place
