"""A process that publishes, activates, rolls back and prunes without end, to be killed."""

from __future__ import annotations

import random
import shutil
from multiprocessing.synchronize import Event
from pathlib import Path

from contract.errors import BadArtifact, NoModel
from harness.tiny_artifact import write_tiny_artifact
from training.artifact.store import Store


def churn(models: Path, seed: int, began: Event) -> None:
    """Change the store at random until the process is killed; sets `began` first."""
    generator, store = random.Random(seed), Store(models, "tiny")
    number = 0
    began.set()
    while True:
        number += 1
        match generator.randrange(4):
            case 0:
                _add(store, f"20260101t{seed:06d}-{number:06x}", seed)
            case 1:
                _activate(store, generator.choice(store.reader.versions("tiny")))
            case 2:
                store.prune(keep=1)
            case _:
                _rollback(store)


def _add(store: Store, version: str, seed: int) -> None:
    with store.staging() as staged:
        made = write_tiny_artifact(staged / "made", version=version, seed=seed, current=False)
        for file in list(made.iterdir()):
            file.rename(staged / file.name)
        shutil.rmtree(staged / "made")
        store.add(staged)


def _activate(store: Store, version: str) -> None:
    try:
        store.activate(version)
    except BadArtifact:
        if (store.folder / version).exists():  # else the other writer has pruned it
            raise


def _rollback(store: Store) -> None:
    try:
        store.rollback()
    except NoModel:
        return
