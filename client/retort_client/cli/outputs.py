"""Where answers go: into a file, so that a run can go on after an interruption, or to a stream."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Self

from retort_client.cli.errors import BadOutput
from retort_client.cli.progress import Progress

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]


class FileOutput:
    """Gathers answers in `answers.csv.partial`, its progress beside it, and gives the file its name when all are there.

    Raises BadOutput when an unfinished run with other settings is in the way, or one that is under way.
    """

    def __init__(self, path: Path, settings: dict[str, Any], restart: bool) -> None:
        self._path = path.resolve()
        self._partial = self._path.with_name(f"{path.name}.partial")
        self._progress_path = self._path.with_name(f"{path.name}.partial.json")
        # Only who has the file to itself can tell whether another run has left it, or has just finished it.
        self._file = _open_for_one(self._partial)
        self.progress = (None if restart else self._unfinished(settings)) or Progress.start(settings)
        self.progress.save(self._progress_path)
        # What was written after the last commit is written again.
        self._file.truncate(self.progress.size)
        self._file.seek(self.progress.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, answers: bytes, progress: Progress) -> None:
        """Once this returns, the answers and the progress outlive a crash."""
        self._file.write(answers)
        self._file.flush()
        # The answers first: the progress must never speak of bytes that are not there.
        os.fsync(self._file.fileno())
        progress.save(self._progress_path)
        self.progress = progress

    def finish(self) -> None:
        """All answers are there."""
        self._file.close()
        self._partial.replace(self._path)
        self._progress_path.unlink()

    def _unfinished(self, settings: dict[str, Any]) -> Progress | None:
        if not self._progress_path.exists():
            return None
        progress = Progress.load(self._progress_path)
        size = os.fstat(self._file.fileno()).st_size
        if progress.size and not size:
            return None  # what it tells of was finished, and has its name
        known = progress.settings
        if other := sorted(name for name in known.keys() | settings if known.get(name) != settings.get(name)):
            raise BadOutput(
                f"{self._partial} is an unfinished run with another {', '.join(other)}: "
                "give it the same to go on, or --restart to start anew"
            )
        if size < progress.size:
            raise BadOutput(f"{self._partial} has lost answers that were in it; --restart starts anew")
        return progress


class StreamOutput:
    """Writes answers as they come; an interrupted run can't go on."""

    def __init__(self, stream: BinaryIO, settings: dict[str, Any]) -> None:
        self._stream = stream
        self.progress = Progress.start(settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.flush()

    def append(self, answers: bytes, progress: Progress) -> None:
        self._stream.write(answers)
        self._stream.flush()
        self.progress = progress

    def finish(self) -> None:
        """Nothing is left to do."""


Output = FileOutput | StreamOutput


def _open_for_one(path: Path) -> BinaryIO:
    """The file, created when missing, and nobody else's while it is open. Raises BadOutput."""
    while True:
        try:
            file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise BadOutput(f"{path}: {error.strerror}") from error
        if not fcntl:
            return file
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise BadOutput(f"{path}: another run is writing it") from None
        if _is_at(file, path):
            return file
        file.close()  # a run that ended meanwhile has given it its name


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether the open file is still what lies at the path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
