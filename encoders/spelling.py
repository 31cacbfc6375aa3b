"""Which tokens of a vocabulary say nothing of a text: the unknown one, and lone letters of a script it has no words in.

An English WordPiece vocabulary has each kana, each Arabic letter and some five hundred ideographs, so it can spell what
it has not learnt to read: hardly a token of a Japanese text is unknown, and hardly one means anything.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping

CONTINUES, STARTS = "##", "▁"
"""What WordPiece puts before a piece inside a word, and SentencePiece before the first one of a word."""
WRITTEN_IN_CHARACTERS = 1000
"""Single characters of a script from which on a vocabulary has learnt to read it, as Chinese in pieces of one each."""


def unread_tokens(vocabulary: Mapping[str, int], unknown: int) -> frozenset[int]:
    """Ids of the tokens that stand for nothing that was learnt. `unknown`: the unknown token's id."""
    pieces = {number: _plain(token) for token, number in vocabulary.items()}
    return frozenset([unknown, *_lone_letters(pieces)])


def _lone_letters(pieces: Mapping[int, str]) -> list[int]:
    """Ids of the single letters of scripts that have more of them than of longer pieces.

    None where most pieces are single characters: then that is how the model learnt to read.
    """
    scripts = {number: script for number, piece in pieces.items() if (script := _script(piece))}
    single = Counter(script for number, script in scripts.items() if len(pieces[number]) == 1)
    longer = Counter(script for number, script in scripts.items() if len(pieces[number]) > 1)
    if single.total() >= longer.total():
        return []
    spelt = {script for script, count in single.items() if longer[script] < count < WRITTEN_IN_CHARACTERS}
    return [number for number, script in scripts.items() if script in spelt]


def _plain(token: str) -> str:
    """The token without the sign of its place in a word."""
    return token.removeprefix(CONTINUES).removeprefix(STARTS) or token


def _script(piece: str) -> str | None:
    """The first word of the name of its first letter, such as LATIN, HIRAGANA or CJK; None without a letter."""
    return next(map(_script_of, filter(_is_letter, piece)), None)


def _script_of(letter: str) -> str:
    return unicodedata.name(letter, "?").partition(" ")[0].partition("-")[0]


def _is_letter(character: str) -> bool:
    """Vowel signs are marks, and letters of their script."""
    return unicodedata.category(character)[0] in "LM"
