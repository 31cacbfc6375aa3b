"""What is only shown: when it fails, that is said, and the model is published without it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def trimming(name: str, console: Console) -> Iterator[None]:
    """Make something that may be missing from the report; any fault in it is printed, whole, and goes no further."""
    try:
        yield
    except Exception:  # noqa: BLE001 (an hour of training must not be lost for a picture)
        console.print(f"{name} could not be made; the model is published without it", style="yellow", soft_wrap=True)
        console.print(traceback.format_exc(), soft_wrap=True)
