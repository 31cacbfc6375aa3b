"""A model manager whose clock, looks and loading are the test's."""

from __future__ import annotations

from pathlib import Path

from contract.artifact import WEIGHTS, Manifest, verify
from contract.fleet import WorkerState
from contract.model_store import ModelStore
from contract.selection import Selection
from harness.tiny_artifact import write_tiny_artifact
from tests.stand_ins import as_any
from worker.pipeline.model_follower import ModelFollower
from worker.pipeline.model_manager import ModelManager

V1, V2, V3 = "20260101t000000-000001", "20260102t000000-000002", "20260103t000000-000003"


class Loaded:
    def __init__(self, manifest: Manifest) -> None:
        self.version = manifest.version
        self.precision, self.runtime = "float32", "tensorflow"


class Rig:
    """A manager whose clock and looks are the test's."""

    def __init__(self, models: Path, selection: str = "tiny", most_bytes: int = 0) -> None:
        self.models = models
        self.now = 0.0
        self.loads: list[str] = []
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.wanted: set[str] = set()
        self.releases = 0
        self.fault: Exception | None = None
        self.faulty = "tiny"
        """The model that can't be loaded while there is a fault."""
        self.manager = ModelManager(
            store=ModelStore(models),
            selection=Selection.parse(selection),
            load=as_any(self._load),
            on_loaded=lambda name, _: self.opened.append(name),
            on_unloaded=self.closed.append,
            is_wanted=lambda name: name in self.wanted,
            reload_s=1.0,
            device="cpu",
            most_bytes=most_bytes,
            release=self._release,
            clock=lambda: self.now,
        )

    def _load(self, folder: Path) -> Loaded:
        self.loads.append(folder.name)
        if self.fault and folder.parent.name == self.faulty:
            raise self.fault
        return Loaded(verify(folder))

    def _release(self) -> None:
        self.releases += 1

    def publish(self, version: str, seed: int = 0, name: str = "tiny") -> Path:
        return write_tiny_artifact(self.models, name, version=version, seed=seed)

    @property
    def follower(self) -> ModelFollower:
        return self.manager.followers[0]

    def served(self) -> str | None:
        self.manager.poll()
        return self.follower.loaded.version if self.follower.loaded else None

    def loaded(self) -> list[str]:
        """The models that are in memory after a look."""
        self.manager.poll()
        return [each.name for each in self.manager.followers if each.loaded]

    def states(self) -> dict[str, WorkerState]:
        return {each.name: each.state for each in self.manager.followers}


def corrupt(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\xff\xff\xff\xff")
