"""The versions of one model in a bucket, for writing; what of them is at hand lies in the folder of a mirror.

The files of a version are written first and its manifest last, so that no half of one is a version. What is served and
what is deleted is one object, CURRENT, which a writer replaces only if it still holds what was read before deciding.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from contract.artifact import MANIFEST, Manifest
from contract.errors import BadArtifact
from contract.model_store import CURRENT
from storage.listing import ListedModel
from storage.mirror import Mirror
from storage.served import Served

LONGEST_PAUSE_S = 0.2
"""After another writer was first."""
ABANDONED = timedelta(days=1)
"""Files of a version whose manifest has not come for so long are left from a crash."""


@dataclass(frozen=True)
class VersionsInBucket:
    """What lies below the model's name. Every method raises BucketUnavailable."""

    mirror: Mirror
    name: str

    def __str__(self) -> str:
        return f"{self.mirror.bucket}/{self.name}"

    def names(self) -> list[str]:
        """Complete versions, oldest first."""
        return self._look().versions

    def manifest(self, version: str) -> Manifest:
        """What the version says of itself. Raises BadArtifact."""
        return self.mirror.fetch(self.name, version, lambda _: False)

    def whole(self, version: str) -> Manifest:
        """The manifest of a version of which the bucket has every file, as it says. Raises BadArtifact."""
        manifest = self.mirror.fetch(self.name, version)
        if lacking := self._look().lacks(manifest):
            raise BadArtifact(f"{self}/{version}: lacks {', '.join(lacking)}")
        return manifest

    def add(self, staged: Path, manifest: Manifest) -> None:
        """Make the verified folder a version. Raises BadArtifact when its version exists."""
        version = manifest.version
        if version in self._look().versions or version in self.served().deleting:
            raise BadArtifact(f"{self}/{version}: exists already")
        bucket = self.mirror.bucket
        tags = {file: bucket.upload(staged / file, f"{self.name}/{version}/{file}") for file in sorted(manifest.files)}
        path, content = f"{self.name}/{version}/{MANIFEST}", (staged / MANIFEST).read_bytes()
        if not bucket.write(path, content, None):
            # It may be the one written here: a request whose answer was lost is repeated.
            found = bucket.read(path)
            if found is None or found[0] != content:
                raise BadArtifact(f"{self}/{version}: exists already")
        files = self._look().files.get(version, {})
        if any(file not in files or files[file].tag != tag for file, tag in tags.items()):
            raise BadArtifact(f"{self}/{version}: another writer wrote files of this version at the same time")
        with self.mirror.cache.lock():
            self.mirror.cache.adopt(self.name, version, staged)

    def served(self) -> Served:
        """What CURRENT says."""
        return self.mirror.served(self.name)[0]

    def change(self, decide: Callable[[Served], Served]) -> None:
        """Have `decide` say what is served and deleted from now on; again, whenever another writer was first."""
        after = self._replace(decide)
        self.mirror.keep(self.name, after)
        if after.deleting:
            self._delete(after.deleting)
            left = self._look().files
            self._replace(lambda served: served.deleted(each for each in after.deleting if each not in left))

    def sweep(self) -> None:
        """Delete the files of versions whose writer died before their manifest was written."""
        self._delete(self._look().abandoned(datetime.now(UTC) - ABANDONED))

    def _replace(self, decide: Callable[[Served], Served]) -> Served:
        while True:
            before, tag = self.mirror.served(self.name)
            if (decided := decide(before)) == before:
                return before
            after = decided.revised()
            if self.mirror.bucket.write(f"{self.name}/{CURRENT}", after.content(), tag):
                return after
            if self.served().revision == after.revision:  # the answer to the first request was lost
                return after
            time.sleep(random.uniform(0, LONGEST_PAUSE_S))

    def _delete(self, versions: Iterable[str]) -> None:
        """Delete versions, their manifests first: what is left of one whenever this ends is no version."""
        files = self._look().files
        for version in versions:
            names = sorted(files.get(version, {}), key=lambda file: file != MANIFEST)
            self.mirror.bucket.delete([f"{self.name}/{version}/{file}" for file in names[:1]])
            self.mirror.bucket.delete([f"{self.name}/{version}/{file}" for file in names[1:]])
            with self.mirror.cache.lock():
                self.mirror.cache.remove(self.name, version)

    def _look(self) -> ListedModel:
        return self.mirror.look().get(self.name, ListedModel())
