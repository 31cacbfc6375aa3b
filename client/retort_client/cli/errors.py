"""What the command line can't do, in words for who typed the command."""

from __future__ import annotations


class CommandError(Exception):
    """Base of the errors that end a command."""


class BadInput(CommandError):
    """The table of questions can't be read, or lacks what is needed; names file and line."""


class BadOutput(CommandError):
    """The answers can't go where they are to go."""
