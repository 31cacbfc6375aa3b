"""`python -m api`: serve under gunicorn."""

from __future__ import annotations

import os
import sys

from api.followed_models import followed_models
from api.settings import ApiSettings
from contract.errors import BadSettings

ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""glibc gives the memory of large bodies back when they are gone; left alone it raises its thresholds and keeps it."""


def main() -> None:
    """Check the settings, then become gunicorn."""
    try:
        followed_models(ApiSettings.load())
    except BadSettings as error:
        sys.exit(f"bad settings\n{error}")
    for name, value in ALLOCATION.items():
        os.environ.setdefault(name, value)
    command = [sys.executable, "-m", "gunicorn", "--config", "python:api.server.gunicorn_conf", "api.app:create_app()"]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
