"""What a process that lives long does about its memory: look seldom at what stays, and give back what has gone."""

from __future__ import annotations

import ctypes
import gc


def settle() -> None:
    """Let the garbage collector look no more at what is in memory now, which lives as long as the process."""
    gc.collect()
    gc.freeze()


def release() -> None:
    """Collect what refers to itself in circles, and give free memory back to the system: the C library keeps it."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's alone
    if trim is not None:
        trim(0)
