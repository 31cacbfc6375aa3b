"""Reading the volume of models: which names, which versions, which one is current. Training alone writes there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from contract.artifact import MANIFEST, NAME_PATTERN, WEIGHTS, Manifest, read_manifest
from contract.errors import NoModel
from contract.hints import hint

CURRENT = "CURRENT"
VERSION = re.compile(NAME_PATTERN)
# A published version never changes.
_manifest = lru_cache(maxsize=256)(read_manifest)


@dataclass(frozen=True)
class ModelStore:
    """The folder `models/`, read only."""

    root: Path

    def names(self) -> list[str]:
        """Models that have at least one version, sorted."""
        return [name for name in _folders(self.root) if self.versions(name)]

    def versions(self, name: str) -> list[str]:
        """Complete versions of a model, oldest first (version names sort by time of publishing)."""
        folder = self.root / name
        return [version for version in _folders(folder) if _is_file(folder / version / MANIFEST)]

    def current(self, name: str) -> str:
        """The version that is to be served. Raises NoModel when nothing is published under this name."""
        path = self.root / name / CURRENT
        try:
            # Its first line: the CURRENT of a bucket that was copied to a folder has more.
            version = path.read_text(encoding="utf-8", errors="replace").strip().partition("\n")[0]
        except (FileNotFoundError, NotADirectoryError) as error:
            near = hint(name, self.published())
            raise NoModel(f"no version of model {name!r} is published in {self.root}{near}") from error
        except OSError as error:
            raise NoModel(f"{path} can't be read: {error.strerror}") from error
        if not VERSION.fullmatch(version):
            raise NoModel(f"{path} names no version: {version[:80]!r}")
        return version

    def published(self) -> list[str]:
        """Models of which a version is to be served, sorted."""
        return [name for name in _folders(self.root) if _is_file(self.root / name / CURRENT)]

    def sighting(self, name: str) -> tuple[str, int]:
        """The version that is to be served, and when that was said, in ns. Raises NoModel or OSError."""
        return self.current(name), (self.root / name / CURRENT).stat().st_mtime_ns

    def weights_bytes(self, name: str, version: str) -> int:
        """Size of the version's weights; 0 when they can't be looked at."""
        try:
            return (self.path(name, version) / WEIGHTS).stat().st_size
        except OSError:
            return 0

    def path(self, name: str, version: str) -> Path:
        return self.root / name / version

    def manifest(self, name: str, version: str) -> Manifest:
        """What the version says of itself, read once. Raises BadArtifact."""
        return _manifest(self.path(name, version))


def _folders(parent: Path) -> list[str]:
    """What lies in a folder under names that models and versions may have; copies and leftovers have others."""
    try:
        return sorted(child.name for child in parent.iterdir() if VERSION.fullmatch(child.name))
    except OSError:  # no folder, or one that is not ours to read
        return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
