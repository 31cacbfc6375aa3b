"""The label of texts that have none of a table's labels, so that the model learns what it is not asked about, too."""

from __future__ import annotations

NONE_OF_THESE = "none of these"
"""What it is called unless that is said."""
FEWEST, SHARE = 5, 0.01
"""Texts without a label, and their share of all, from which on they are one of their own: fewer are a slip."""


def other_label(asked: str | None, unlabelled: int, texts: int, *, strict: bool) -> str | None:
    """The label that texts without one are learnt as; None where there is none, and they are left out.

    asked: what the user called it, an empty text for none; unlabelled: texts without a label, of `texts` in all;
    strict: a text without a label is a fault unless the user said what it is.
    """
    if asked is not None:
        return asked.strip() or None
    enough = max(FEWEST, SHARE * texts) <= unlabelled < texts
    return NONE_OF_THESE if enough and not strict else None


def other_note(label: str, asked: str | None, unlabelled: int) -> str:
    """What is learnt as none of the labels, and the option that decides otherwise."""
    otherwise = "; --other NAME calls it otherwise, --other '' leaves them out" if asked is None else ""
    return f"none of the other labels: {label!r}, with {unlabelled} texts that have no label{otherwise}"
