"""Versions of the tiny model in a store, be it a folder or a bucket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contract.artifact import MANIFEST, WEIGHTS, read_manifest
from harness.tiny_artifact import write_tiny_artifact
from storage.bucket import Bucket
from training.artifact.store import Store

Add = Callable[..., str]


def add_version(store: Store, folder: Path, number: int, accuracy: float = 0.5, current: bool = True) -> str:
    """Add version number N, made of random weights in a new folder beside others, and return its name."""
    version = f"20260101t00000{number}-abcdef"
    made = write_tiny_artifact(folder / f"elsewhere{number}", name=store.name, version=version, seed=number)
    manifest = read_manifest(made).model_copy(update={"metrics": {"accuracy": accuracy}})
    (made / MANIFEST).write_text(manifest.model_dump_json())
    with store.staging() as staged:
        for file in made.iterdir():
            (staged / file.name).write_bytes(file.read_bytes())
        store.add(staged)
    if current:
        store.activate(version)
    return version


def damage(store: Store, version: str) -> None:
    """Replace the weights of a version, of which nobody has a copy, by something else."""
    weights = store.folder / version / WEIGHTS
    weights.write_bytes(b"other")
    if store.mirror:
        store.mirror.bucket.upload(weights, f"{store.name}/{version}/{WEIGHTS}")
        store.mirror.cache.remove(store.name, version)


def bucket_of(store: Store) -> Bucket:
    """The bucket that holds the versions."""
    assert store.mirror
    return store.mirror.bucket
