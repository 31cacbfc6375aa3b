"""The code of another revision of this repository, to run beside today's."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from harness.process import ROOT


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """A temporary folder with the files of `revision`, a commit, branch or tag of this repository.

    It runs with the packages that are installed now. Raises CalledProcessError when git knows no such revision.
    """
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    with tempfile.TemporaryDirectory(prefix="retort-release-") as folder:
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder)
