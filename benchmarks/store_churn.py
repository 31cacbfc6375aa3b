"""Processes that publish, activate, roll back and prune without end, to be killed; is what they leave whole?"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

from contract.artifact import Manifest
from contract.errors import BadArtifact, NoModel
from contract.settings import SharedSettings
from harness.tiny_artifact import write_tiny_artifact
from training.artifact.opened import open_store
from training.artifact.store import Store

NAME = "tiny"
LONGEST_S = 0.6
"""A writer lives for so long at most after all have begun."""
BEGUN_S = 60.0
# Forks of a process that has imported what writers need and nothing else, TensorFlow's threads least of all.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["benchmarks.store_churn"])


@dataclass(frozen=True)
class Place:
    """Where the models are, for processes that know nothing of this one."""

    models: str
    """The folder, or the URL."""
    caches: Path
    """A folder in which each machine has one to fetch to."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def store(self, machine: str) -> Store:
        """The tiny model, as this machine has it."""
        os.environ.update(self.environment)
        settings = SharedSettings.model_validate({"models_dir": self.models, "models_cache_dir": self.caches / machine})
        return open_store(settings, NAME)


class Churn:
    """Two trainers and a pruner, of which all are killed again and again, each replaced by the next."""

    ROLES = ("trainer", "trainer", "pruner")

    def __init__(self, place: Place, seed: int = 1) -> None:
        self._place = place
        self._chance = random.Random(seed)
        self._started = 0
        self.kills = 0
        self.broken: list[str] = []
        """What was wrong with what CURRENT named, each time that anything was."""
        with (store := place.store("first")).staging() as staged:
            write_version(staged, "20250101t000000-000000", 0)
            version = store.add(staged).version
        store.activate(version)
        self.store = place.store("onlooker")
        """The store, as somebody has it who only looks on."""

    def kill(self, times: int) -> None:
        """Kill so many writers, all three of a time, looking at CURRENT after each."""
        end = self.kills + times
        while self.kills < end:
            started = [self._start(number) for number in range(len(self.ROLES))]
            if not all(began.wait(BEGUN_S) for _, began in started):
                raise RuntimeError(f"a writer has not begun after {BEGUN_S:g} s")
            writers = [writer for writer, _ in started]
            time.sleep(self._chance.uniform(0, LONGEST_S))
            for writer in writers:
                if writer.exitcode is not None:
                    self.broken.append("a writer has ended by itself; what it printed says why")
                writer.kill()
                writer.join()
                self.kills += 1
                self._look()

    def _start(self, number: int) -> tuple[BaseProcess, Event]:
        """A process that changes the store from when it sets the event on."""
        self._started += 1
        began = CONTEXT.Event()
        given = (self._place, f"machine-{number}", self.ROLES[number], self._started, began)
        writer = CONTEXT.Process(target=work, args=given, daemon=True)
        writer.start()
        return writer, began

    def _look(self) -> None:
        try:
            whole_current(self.store)
        except (BadArtifact, NoModel) as error:
            self.broken.append(str(error))


def whole_current(store: Store) -> Manifest:
    """Verify the version that CURRENT names; if it was pruned meanwhile, CURRENT names another one now."""
    while True:
        version = store.versions.served().version
        if version is None:
            raise NoModel(f"{store.versions}: CURRENT names no version")
        try:
            return store.versions.whole(version)
        except BadArtifact:
            if store.versions.served().version == version:
                raise


def work(place: Place, machine: str, role: str, seed: int, began: Event) -> None:
    """Change the store at random until the process is killed; sets `began` first."""
    generator, store = random.Random(seed), place.store(machine)
    number = 0
    began.set()
    while True:
        number += 1
        choice = 2 if role == "pruner" else generator.choice((0, 0, 1, 3))
        match choice:
            case 0:
                _add(store, f"20260101t{seed:06d}-{number:06x}", seed)
            case 1:
                _unless_pruned(lambda: store.activate(generator.choice(store.versions.names())))
            case 2:
                store.prune(keep=1)
            case _:
                _unless_pruned(store.rollback)


def _add(store: Store, version: str, seed: int) -> None:
    with store.staging() as staged:
        write_version(staged, version, seed)
        store.add(staged)
    _unless_pruned(lambda: store.activate(version))


def write_version(staged: Path, version: str, seed: int) -> None:
    """Write a version of the tiny model into the folder."""
    made = write_tiny_artifact(staged / "made", version=version, seed=seed, current=False)
    for file in list(made.iterdir()):
        file.rename(staged / file.name)
    shutil.rmtree(staged / "made")


def _unless_pruned(act: Callable[[], object]) -> None:
    """Activate or roll back; what another writer has pruned meanwhile can't be, and nothing else is an excuse."""
    try:
        act()
    except NoModel:
        return
    except BadArtifact as error:
        if not any(excuse in str(error) for excuse in ("No such file", "no such object", "being deleted", "lacks")):
            raise
