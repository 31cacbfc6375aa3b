"""A process that publishes, activates, rolls back and prunes without end, to be killed."""

from __future__ import annotations

import random
import shutil
from multiprocessing.synchronize import Event
from pathlib import Path

from contract.errors import NoModel
from tests.tiny_artifact import write_tiny_artifact
from training.store import Store


def churn(models: Path, seed: int, began: Event) -> None:
    """Change the store at random until the process is killed; sets `began` first."""
    generator, store = random.Random(seed), Store(models, "tiny")
    number = 0
    began.set()
    while True:
        number += 1
        _publish(store, f"20260101t{seed:06d}-{number:06x}", seed)
        versions = store.reader.versions("tiny")
        match generator.randrange(3):
            case 0:
                store.activate(generator.choice(versions))
            case 1:
                store.prune(keep=2)
            case _:
                try:
                    store.rollback()
                except NoModel:
                    continue


def _publish(store: Store, version: str, seed: int) -> None:
    with store.staging() as staged:
        made = write_tiny_artifact(staged / "made", version=version, seed=seed, current=False)
        for file in list(made.iterdir()):
            file.rename(staged / file.name)
        shutil.rmtree(staged / "made")
        store.add(staged)
    store.activate(version)
