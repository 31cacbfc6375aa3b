"""`python -m training --help`"""

from __future__ import annotations

import sys

from contract.errors import RetortError
from training.cli import app
from training.cli.app import errors


def main() -> None:
    try:
        app()
    except RetortError as error:
        errors.print(str(error), style="red", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
