"""Log lines as JSON, one object a line: the application's on standard output, gunicorn's own on standard error."""

from __future__ import annotations

import logging
import sys
from typing import Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from pythonjsonlogger.json import JsonFormatter


def configure(level: str) -> None:
    """Every logger of this process writes JSON lines of at least this level."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)


def _formatter() -> logging.Formatter:
    renamed = {"asctime": "time", "levelname": "level", "name": "logger"}
    return JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=renamed)


class GunicornLogger(Logger):  # type: ignore[misc]
    """What gunicorn says of its processes."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(_formatter())
