"""`python -m api`: serve under gunicorn."""

from __future__ import annotations

import os
import sys

from api.settings import ApiSettings
from contract.errors import BadSettings


def main() -> None:
    """Check the settings, then become gunicorn."""
    try:
        ApiSettings.load()
    except BadSettings as error:
        sys.exit(f"bad settings\n{error}")
    command = [sys.executable, "-m", "gunicorn", "--config", "python:api.server.gunicorn_conf", "api.app:create_app()"]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
