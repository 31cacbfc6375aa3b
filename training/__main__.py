"""`python -m training --help`"""

from __future__ import annotations

import errno
import sys
from typing import NoReturn

from contract.errors import BucketUnavailable, RetortError
from training.cli import app
from training.cli.app import errors


def main() -> None:
    try:
        app()
    except BucketUnavailable as error:
        _refuse(f"{error}; once it can be reached, give the same command again: training goes on from its checkpoint")
    except RetortError as error:
        _refuse(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _refuse(f"{error}; once there is room, the same command goes on from the last checkpoint")


def _refuse(why: str) -> NoReturn:
    errors.print(why, style="red", soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
