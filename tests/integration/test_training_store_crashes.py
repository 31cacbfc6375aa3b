"""SIGKILL at random points of publishing, activating, rolling back and pruning, by two writers at once."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from contract.artifact import verify
from contract.errors import BadArtifact
from contract.model_store import ModelStore
from harness.tiny_artifact import write_tiny_artifact
from tests.store_churn import churn
from training.artifact.store import Store

KILLS = int(os.environ.get("STORE_KILLS", "20"))
WRITERS = 2
LONGEST_S = 0.3
# Forks of a process that has imported what writers need and nothing else, TensorFlow's threads least of all.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.store_churn"])


@pytest.mark.timeout(60 + 10 * KILLS)
def test_current_always_names_a_whole_version_whenever_writers_are_killed(tmp_path: Path) -> None:
    models, generator = tmp_path / "models", random.Random(1)
    write_tiny_artifact(models, version="20250101t000000-000000")

    for kill in range(KILLS // WRITERS):
        writers = [_writer(models, seed=kill * WRITERS + number) for number in range(WRITERS)]
        time.sleep(generator.uniform(0, LONGEST_S))
        for writer in writers:
            writer.kill()
            writer.join()
            _verify_current(ModelStore(models))
        for version in ModelStore(models).versions("tiny"):
            verify(models / "tiny" / version)

    store = Store(models, "tiny")
    store.prune(keep=1)
    assert len(store.reader.versions("tiny")) <= 2
    assert not list(store.folder.glob(".trash-*"))


def _verify_current(reader: ModelStore) -> None:
    """Verify the version that CURRENT names; if another writer pruned it meanwhile, CURRENT names another one now."""
    version = reader.current("tiny")
    try:
        verify(reader.path("tiny", version))
    except BadArtifact:
        if reader.current("tiny") == version:
            raise
        _verify_current(reader)


def _writer(models: Path, seed: int) -> BaseProcess:
    """A process that changes the store already."""
    began = CONTEXT.Event()
    writer = CONTEXT.Process(target=churn, args=(models, seed, began), daemon=True)
    writer.start()
    assert began.wait(30)
    return writer
