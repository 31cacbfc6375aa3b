"""The versions of one model in a folder of the volume, for writing.

A version is staged in the model's folder, verified, flushed to the disk and renamed into place; CURRENT is replaced by
a rename. One writer at a time changes CURRENT, the history and the set of versions: they share an advisory lock, which
the system releases when its holder dies.

    models/<name>/CURRENT        the version that is served
    models/<name>/HISTORY        the versions that were made current, in order; what rollback goes back in
    models/<name>/.trash-*       versions being deleted
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from contract import durable
from contract.artifact import Manifest, read_manifest, verify
from contract.errors import BadArtifact, NoModel
from contract.model_store import CURRENT, VERSION, ModelStore
from storage.served import Served

HISTORY = "HISTORY"
TRASH = ".trash-"


@dataclass(frozen=True)
class VersionsInFolder:
    """What lies in the model's folder."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> list[str]:
        """Complete versions, oldest first."""
        return self._reader.versions(self.folder.name)

    def manifest(self, version: str) -> Manifest:
        """What the version says of itself. Raises BadArtifact."""
        return read_manifest(self.folder / version)

    def whole(self, version: str) -> Manifest:
        """The manifest of a version of which every file is as it says. Raises BadArtifact."""
        return verify(self.folder / version)

    def add(self, staged: Path, manifest: Manifest) -> None:
        """Make the verified folder a version. Raises BadArtifact when its version exists."""
        durable.sync_tree(staged)
        with self._lock():
            target = self.folder / manifest.version
            if target.exists():
                raise BadArtifact(f"{target}: exists already")
            staged.rename(target)
            durable.sync(self.folder)

    def served(self) -> Served:
        """What CURRENT and the history say."""
        try:
            current = self._reader.current(self.folder.name)
        except NoModel:
            return Served()
        path = self.folder / HISTORY
        lines = path.read_text(encoding="utf-8", errors="replace").split() if path.exists() else []
        history = [line for line in lines if VERSION.fullmatch(line)]
        while history and history[-1] != current and current in history:
            history.pop()
        return Served(version=current, history=tuple(history if current in history else [*history, current]))

    def change(self, decide: Callable[[Served], Served]) -> None:
        """Have `decide` say what is served and deleted from now on, while no other writer changes anything."""
        with self._lock():
            before = self.served()
            after = decide(before)
            if after.activation != before.activation:
                durable.write_text(self.folder / CURRENT, f"{after.version}\n")
            if after.history != before.history:
                # After CURRENT: a crash in between costs an entry of the history, not a wrong one.
                durable.write_text(self.folder / HISTORY, "".join(f"{each}\n" for each in after.history))
            for version in after.deleting:
                # A folder of its own: one of that name may be left from a sweep that could not delete it.
                trash = Path(tempfile.mkdtemp(prefix=TRASH, dir=self.folder))
                (self.folder / version).rename(trash / version)
            durable.sync(self.folder)

    def sweep(self) -> None:
        """Delete what is in the trash."""
        with self._lock():
            for folder in self.folder.glob(f"{TRASH}*"):
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _reader(self) -> ModelStore:
        return ModelStore(self.folder.parent)

    def _lock(self) -> AbstractContextManager[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return durable.lock(self.folder / ".lock")
