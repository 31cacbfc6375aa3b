"""What lies where in a bucket of models, told from one listing: as in a folder, `NAME/VERSION/FILE`, `NAME/CURRENT`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from contract.artifact import MANIFEST, Manifest
from contract.model_store import CURRENT, VERSION
from storage.bucket import StoredObject


@dataclass(frozen=True)
class ListedModel:
    """The objects of one model."""

    current: StoredObject | None = None
    files: dict[str, dict[str, StoredObject]] = field(default_factory=dict)
    """By version and relative name."""

    @property
    def versions(self) -> list[str]:
        """Those that have their manifest, which is written last and deleted first; oldest first."""
        return [version for version, files in self.files.items() if MANIFEST in files]

    def lacks(self, manifest: Manifest) -> list[str]:
        """Files of a version that are not there."""
        there = self.files.get(manifest.version, {})
        return [file for file in (MANIFEST, *manifest.files) if file not in there]

    def bytes(self, version: str) -> int:
        return sum(each.bytes for each in self.files.get(version, {}).values())

    def abandoned(self, before: datetime) -> list[str]:
        """Versions without a manifest that nobody has written to since then: their writer has died."""
        return [
            version
            for version, files in self.files.items()
            if MANIFEST not in files and all(each.modified < before for each in files.values())
        ]


def listed(objects: dict[str, StoredObject]) -> dict[str, ListedModel]:
    """The models of a bucket by their names. What has another place or name is not looked at."""
    current: dict[str, StoredObject] = {}
    files: dict[str, dict[str, dict[str, StoredObject]]] = defaultdict(lambda: defaultdict(dict))
    for path, found in objects.items():
        name, _, rest = path.partition("/")
        if not VERSION.fullmatch(name):
            continue
        version, _, file = rest.partition("/")
        if rest == CURRENT:
            current[name] = found
        elif file and VERSION.fullmatch(version):
            files[name][version][file] = found
    return {name: ListedModel(current.get(name), dict(files[name])) for name in sorted({*current, *files})}
