"""Stops, with advice, where Retort's environment can't be made. Whatever Python is there must be able to read this."""

import importlib.util
import sys

OLDEST = (3, 11)
NEWEST = (3, 13)


def problem() -> "str | None":
    """What is wrong with this Python, or None."""
    found = ".".join(str(part) for part in sys.version_info[:2])
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return f"Retort needs Python 3.11 to 3.13; {sys.executable} is {found}. Name another: PYTHON=python3.12"
    if importlib.util.find_spec("ensurepip") is None:
        return f"{sys.executable} can't make environments: install python{found}-venv, or name another Python (PYTHON=)"
    return None


if __name__ == "__main__":
    sys.exit(problem())
