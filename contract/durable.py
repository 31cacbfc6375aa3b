"""Writing files so that a crash at any instant leaves either the old or the new content, whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Replace `path` by a file with `text`, at once, and survive a power cut afterwards."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` when the block ends well."""
    temporary = temporary_beside(path)
    try:
        yield temporary
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # a full disk leaves half a file


def replace(temporary: Path, path: Path) -> None:
    """Move a finished file into place: its content is on the disk before its name is."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def temporary_beside(path: Path) -> Path:
    """A name in the same folder (renames do not cross file systems) that no other process uses."""
    return path.with_name(f".{path.name}.{os.getpid()}")


@contextmanager
def lock(path: Path, wait: bool = True) -> Iterator[None]:
    """Hold an advisory lock on the file `path`; the system releases it when its holder dies, however it dies.

    Raises BlockingIOError when another process holds it and `wait` is false.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and itself."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)
