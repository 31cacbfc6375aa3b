"""The folder that models are fetched to: what of them is here, whether it is what it was, and whether there is room."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contract import durable
from contract.artifact import MANIFEST, sha256
from contract.errors import BadArtifact, NoModel, RetortError
from contract.model_store import CURRENT, VERSION, ModelStore

LOCK, PART = ".lock", ".part"
MiB = 2**20


class CacheTrouble(RetortError):
    """What is to be fetched finds no room in the folder, or the folder can't be written."""

    code = "cache-trouble"


class ModelCache:
    """A folder laid out as the volume of models is. Who changes it holds its lock."""

    def __init__(self, folder: Path, most_bytes: int = 0) -> None:
        """`most_bytes` bounds what lies in the folder; 0: the disk does."""
        self.folder = folder
        self._most_bytes = most_bytes
        self._good: set[Path] = set()
        """Files whose sha256 was right, in the time of this process: a crash of the machine may have damaged others."""

    @contextmanager
    def lock(self, wait: bool = True) -> Iterator[None]:
        """Let no other process change the folder. Raises BlockingIOError if one does and this one is not to wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with durable.lock(self.folder / LOCK, wait=wait):
            yield

    def path(self, name: str, version: str) -> Path:
        return self.folder / name / version

    def models(self) -> list[str]:
        """The models of which anything is here."""
        return _folders(self.folder)

    def versions(self, name: str) -> list[str]:
        """The versions of which anything is here."""
        return _folders(self.folder / name)

    def current(self, name: str) -> str | None:
        """The version that readers of the folder are to serve."""
        try:
            return ModelStore(self.folder).current(name)
        except NoModel:
            return None

    def set_current(self, name: str, version: str | None) -> None:
        """Name the version that readers of the folder are to serve, for the first time or once more."""
        path = self.folder / name / CURRENT
        if version is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.write_text(path, f"{version}\n")

    def has(self, path: Path, digest: str) -> bool:
        """True when the file is here under its sha256, which is computed once in the time of this process."""
        if path.is_file() and (path in self._good or sha256(path) == digest):
            self._good.add(path)
            return True
        return False

    def put(self, path: Path, digest: str, write: Callable[[Path], object]) -> None:
        """Have `write` write the file, which appears in its place when all of it is there. Raises BadArtifact when its
        sha256 is another: then it does not."""
        part = self.folder / PART
        try:
            write(part)
            if (found := sha256(part)) != digest:
                raise BadArtifact(f"sha256 is {found}, the manifest says {digest}")
            path.parent.mkdir(parents=True, exist_ok=True)
            durable.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        self._good.add(path)

    def adopt(self, name: str, version: str, folder: Path) -> None:
        """Move a whole version of the same disk here."""
        self.remove(name, version)
        path = self.path(name, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(path)

    def remove(self, name: str, version: str) -> None:
        """Delete a version, its manifest first: what is left of it then is no version."""
        folder = self.path(name, version)
        (folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        self._good = {path for path in self._good if not path.is_relative_to(folder)}

    def forget(self, name: str) -> None:
        """Delete what was fetched of a model."""
        self.set_current(name, None)
        for version in self.versions(name):
            self.remove(name, version)

    def make_room(self, name: str, version: str, whole: int) -> None:
        """Delete what this version, of `whole` bytes, takes the place of. Raises CacheTrouble if that is not enough."""
        more = whole - _bytes(self.path(name, version))
        self._keep_only_current(name, besides=version)
        if self._room() < more:
            for other in self.models():
                self._keep_only_current(other, besides=version)
        if (room := self._room()) < more:
            raise CacheTrouble(
                f"{self.folder}: {name} {version} needs {more / MiB:.1f} MiB, {max(room, 0) / MiB:.1f} are left"
            )

    def _keep_only_current(self, name: str, besides: str) -> None:
        for version in set(self.versions(name)) - {self.current(name), besides}:
            self.remove(name, version)

    def _room(self) -> float:
        bound = self._most_bytes - _bytes(self.folder) if self._most_bytes else float("inf")
        return min(bound, shutil.disk_usage(self.folder).free)


def _folders(parent: Path) -> list[str]:
    return sorted(child.name for child in parent.glob("*") if VERSION.fullmatch(child.name) and child.is_dir())


def _bytes(folder: Path) -> int:
    """Of all files below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
