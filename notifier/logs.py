"""Log lines as JSON on standard error, one object a line."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter

QUIET = ("celery.app.trace", "celery.worker.strategy", "celery.redirected")
"""Loggers that write several lines a message."""


def configure(level: str) -> None:
    handler = logging.StreamHandler()
    fields = "%(asctime)s %(levelname)s %(name)s %(message)s"
    handler.setFormatter(
        JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level", "name": "logger"})
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Celery announces at every lost connection what a later release will do.
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
