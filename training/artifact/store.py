"""Writing versions of a model, to the volume or to a bucket: publish, activate, roll back, prune.

Safe with several writers and with a crash at any instant. How, each of the two says for itself: `versions_in_folder`,
`versions_in_bucket`. What is the same for both is here. A model has a folder in either case, that of the volume or, for
a bucket, one of this machine that is kept in step with it. In it lie too

    .staging-*     versions being written
    .training-*    checkpoints of runs
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contract.artifact import Manifest, verify
from contract.errors import BadArtifact, NoModel
from contract.model_store import VERSION, ModelStore
from storage.mirror import Mirror
from storage.served import Served
from training.artifact.versions_in_bucket import VersionsInBucket
from training.artifact.versions_in_folder import VersionsInFolder
from training.errors import WorseModel

MARGIN = 0.01
"""How much lower than the current version's main score a new version's may be."""
MAIN_SCORES = {"softmax": "accuracy", "sigmoid": "micro_f1"}
"""What versions are compared by, by their activation."""
SCORE_NAMES = {"accuracy": "accuracy", "micro_f1": "micro F1"}
"""What people call those."""
CHANCE = 2.0
"""Standard errors by which a simpler model may lead."""
RIVALS = {
    "baseline": ("counting words", "a longer --max-length, more --epochs or another --base may help"),
    "frozen": ("a linear head on the frozen base", "--epochs 0 publishes that, a lower --learning-rate may help"),
}
STAGING, TRAINING = ".staging-", ".training-"
ABANDONED_S = {STAGING: 24 * 3600, TRAINING: 7 * 24 * 3600}
"""A folder that nobody wrote to for so long is left from a crash."""


@dataclass(frozen=True)
class Store:
    """The versions of one model, for writing."""

    root: Path
    """The volume, or the folder of the mirror."""
    name: str
    mirror: Mirror | None = None
    """Of the bucket that holds the models, where they are in one."""

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @property
    def reader(self) -> ModelStore:
        return ModelStore(self.root)

    @property
    def versions(self) -> VersionsInFolder | VersionsInBucket:
        """Where the versions lie."""
        return VersionsInBucket(self.mirror, self.name) if self.mirror else VersionsInFolder(self.folder)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder to write an artifact to; what is left of it afterwards is deleted."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=STAGING, dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, staged: Path) -> Manifest:
        """Make the artifact in the staging folder `staged` a version of the model, not yet the current one.

        Raises BadArtifact when it is not whole, is another model's, or its version exists.
        """
        manifest = verify(staged)
        if manifest.name != self.name:
            raise BadArtifact(f"{manifest.version} is a version of model {manifest.name!r}, not of {self.name!r}")
        _let_others_read(staged)
        self.versions.add(staged, manifest)
        return manifest

    def activate(self, version: str) -> None:
        """Verify `version` and make it the current one. Raises BadArtifact.

        That it is current is said anew even if it is already: a worker that refused it tries it again then.
        """
        if not VERSION.fullmatch(version):
            raise BadArtifact(f"{version!r} is no name of a version")

        def decide(served: Served) -> Served:
            if version in served.deleting:
                raise BadArtifact(f"{self.versions}/{version}: is being deleted")
            manifest = self.versions.whole(version)
            if (manifest.name, manifest.version) != (self.name, version):
                raise BadArtifact(f"{self.versions}/{version}: is {manifest.name} {manifest.version}")
            return served.activated(version)

        self.versions.change(decide)

    def rollback(self) -> str:
        """Make the version that was current before the current one current again, and return it.

        Raises NoModel when there is none left.
        """
        chosen = ""

        def decide(served: Served) -> Served:
            nonlocal chosen
            if served.version is None:
                raise NoModel(f"no version of model {self.name!r} is published: {self.versions}")
            earlier = served.earlier(self.versions.names())
            if earlier is None:
                raise NoModel(f"{self.versions}: no version was current before {served.version}")
            self.versions.whole(earlier)
            chosen = earlier
            return served.rolled_back(earlier)

        self.versions.change(decide)
        return chosen

    def prune(self, keep: int) -> list[str]:
        """Delete all but the `keep` newest versions, never the current one, and what crashes left. Returns them."""
        doomed: list[str] = []

        def decide(served: Served) -> Served:
            there = [version for version in self.versions.names() if version not in served.deleting]
            doomed[:] = [version for version in there[: max(len(there) - keep, 0)] if version != served.version]
            return served.without(doomed)

        self.versions.sweep()
        self.versions.change(decide)
        self.versions.sweep()
        self._sweep()
        return doomed

    def refuse_if_worse(self, manifest: Manifest, margin: float = MARGIN) -> None:
        """Raise WorseModel when the current version's main score is higher by more than `margin`, or when a simpler
        model of the same texts is better by more than chance."""
        kept = f"It is kept; `activate {manifest.version}` serves it all the same"
        score = MAIN_SCORES[manifest.activation]
        shown = SCORE_NAMES[score]
        after = manifest.metrics.get(score, 0.0)
        for rival, (meaning, advice) in RIVALS.items():
            if manifest.metrics.get(f"{rival}_lead", 0.0) > CHANCE:
                rivals = manifest.metrics[f"{rival}_{score}"]
                raise WorseModel(
                    f"{self.name} {manifest.version}: {shown} {after:.4f}, but {meaning} has {rivals:.4f} on "
                    f"the same texts, which is more than chance; {advice}. {kept}"
                )
        current = self.versions.served().version
        if current is None:
            return
        before = self.versions.manifest(current).metrics.get(score, 0.0)
        if after < before - margin:
            raise WorseModel(
                f"{self.name} {manifest.version}: {shown} {after:.4f}, but {current} has {before:.4f}. {kept}"
            )

    def _sweep(self) -> None:
        for prefix, age in ABANDONED_S.items():
            for folder in self.folder.glob(f"{prefix}*"):
                if _age_s(folder) > age:
                    shutil.rmtree(folder, ignore_errors=True)


def _age_s(folder: Path) -> float:
    """Seconds since the folder was last written to; 0 when its writer has just done away with it."""
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _let_others_read(folder: Path) -> None:
    """Workers run as other users; some writers of files and temporary folders grant nothing to anybody else."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
