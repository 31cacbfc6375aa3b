"""Writing to the volume of models: publish, activate, roll back, prune.

Safe with several writers and with a crash at any instant. A version is staged in the model's folder, verified, flushed
to the disk and renamed into place; CURRENT is replaced by a rename. One writer at a time changes CURRENT, the history
and the set of versions: they share an advisory lock, which the system releases when its holder dies.

    models/<name>/CURRENT        the version that is served
    models/<name>/HISTORY        the versions that were made current, in order; what rollback goes back in
    models/<name>/.staging-*     versions being written
    models/<name>/.trash-*       versions being deleted
    models/<name>/.training-*    checkpoints of runs
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from contract.artifact import Manifest, read_manifest, verify
from contract.errors import BadArtifact, NoModel
from contract.model_store import CURRENT, ModelStore
from training import durable
from training.errors import WorseModel

HISTORY = "HISTORY"
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
STAGING, TRASH, TRAINING = ".staging-", ".trash-", ".training-"
ABANDONED_S = {STAGING: 24 * 3600, TRAINING: 7 * 24 * 3600}
"""A folder that nobody wrote to for so long is left from a crash."""


@dataclass(frozen=True)
class Store:
    """One model's folder on the volume, for writing."""

    root: Path
    name: str

    @property
    def folder(self) -> Path:
        return self.root / self.name

    @property
    def reader(self) -> ModelStore:
        return ModelStore(self.root)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """An empty folder on the volume to write an artifact to; what is left of it afterwards is deleted."""
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
        durable.sync_tree(staged)
        with self._lock():
            target = self.folder / manifest.version
            if target.exists():
                raise BadArtifact(f"{target}: exists already")
            staged.rename(target)
            durable.sync(self.folder)
        return manifest

    def activate(self, version: str) -> None:
        """Verify `version` and make it the current one. Raises BadArtifact.

        CURRENT is written even if it names the version already: a worker that refused it tries it again then.
        """
        with self._lock():
            manifest = verify(self.folder / version)
            if (manifest.name, manifest.version) != (self.name, version):
                raise BadArtifact(f"{self.folder / version}: is {manifest.name} {manifest.version}")
            history, was_current = self._history(), version == self._current()
            durable.write_text(self.folder / CURRENT, f"{version}\n")
            if was_current:
                return
            # After CURRENT: a crash in between costs an entry of the history, not a wrong one.
            durable.write_text(self.folder / HISTORY, "".join(f"{each}\n" for each in [*history, version]))

    def rollback(self) -> str:
        """Make the version that was current before the current one current again, and return it.

        Raises NoModel when there is none left on the volume.
        """
        with self._lock():
            current = self.reader.current(self.name)
            earlier = [each for each in self._history() if each != current and (self.folder / each).is_dir()]
            if not earlier:
                raise NoModel(f"{self.folder}: no version was current before {current}")
            verify(self.folder / earlier[-1])
            durable.write_text(self.folder / CURRENT, f"{earlier[-1]}\n")
            return earlier[-1]

    def prune(self, keep: int) -> list[str]:
        """Delete all but the `keep` newest versions, never the current one, and what crashes left. Returns them."""
        with self._lock():
            versions = self.reader.versions(self.name)
            doomed = [version for version in versions[: max(len(versions) - keep, 0)] if version != self._current()]
            self._sweep()
            for version in doomed:
                # A folder of its own: one of that name may be left from a sweep that could not delete it.
                trash = Path(tempfile.mkdtemp(prefix=TRASH, dir=self.folder))
                (self.folder / version).rename(trash / version)
            durable.sync(self.folder)
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
        current = self._current()
        if current is None:
            return
        before = read_manifest(self.folder / current).metrics.get(score, 0.0)
        if after < before - margin:
            raise WorseModel(
                f"{self.name} {manifest.version}: {shown} {after:.4f}, but {current} has {before:.4f}. {kept}"
            )

    def _current(self) -> str | None:
        try:
            return self.reader.current(self.name)
        except NoModel:
            return None

    def _history(self) -> list[str]:
        """Versions made current, oldest first, up to the current one, which is last."""
        path, current = self.folder / HISTORY, self._current()
        if current is None:
            return []
        history = path.read_text(encoding="utf-8").split() if path.exists() else []
        while history and history[-1] != current and current in history:
            history.pop()
        return history if current in history else [*history, current]

    def _sweep(self) -> None:
        for folder in self.folder.glob(f"{TRASH}*"):
            shutil.rmtree(folder, ignore_errors=True)
        for prefix, age in ABANDONED_S.items():
            for folder in self.folder.glob(f"{prefix}*"):
                if _age_s(folder) > age:
                    shutil.rmtree(folder, ignore_errors=True)

    def _lock(self) -> AbstractContextManager[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return durable.lock(self.folder / ".lock")


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
