"""The command line, `retort`. It needs the extra `cli`: pip install 'retort-client[cli]'."""

from __future__ import annotations

import sys

from retort_client.cli.errors import CommandError
from retort_client.errors import RetortError


def main() -> None:
    """Run the command that sys.argv names; an error ends it with one line that says what is wrong."""
    try:
        # Late, for these packages may be missing.
        from retort_client.cli.commands import app
    except ModuleNotFoundError as missing:
        if missing.name not in ("typer", "rich"):
            raise
        sys.exit("the command line needs typer and rich: pip install './client[cli]' in a clone of the project")
    try:
        app()
    except (RetortError, CommandError) as error:
        sys.exit(f"retort: {error}")
