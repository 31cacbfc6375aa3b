"""`list`, `show`, `publish`, `activate`, `rollback`, `compare`, `prune`: the models that there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table as Grid

from contract.artifact import Manifest, read_manifest, verify
from contract.errors import BadArtifact
from contract.model_store import ModelStore
from training.artifact.opened import open_reader
from training.artifact.store import MARGIN
from training.cli.app import Force, Margin, ModelName, app, console, errors, named
from training.settings import TrainingSettings

Version = Annotated[str, typer.Argument(help="a version's name, as `list` shows it")]
Only = Annotated[str | None, typer.Option("--name", help="only this model's versions")]
SHOWN = {"accuracy": "accuracy", "micro_f1": "micro F1", "macro_f1": "macro F1", "calibration_error": "ECE"}


@app.command("list")
def list_versions(name: Only = None) -> None:
    """Every model and version; a star marks what is served. ECE: expected calibration error."""
    settings = TrainingSettings.load()
    reader = open_reader(settings)
    models = [name] if name else reader.names()
    found = [(model, manifest) for model in models for manifest in _manifests(reader, model)]
    if not found:
        console.print(f"no version of {name or 'any model'} in {settings.models_dir}")
        return
    current = {model: named(model).current for model, _ in found}
    shown = {key: title for key, title in SHOWN.items() if any(key in manifest.metrics for _, manifest in found)}
    grid = Grid("", "model", "version", "base model", *shown.values(), box=None)
    grid.columns[2].no_wrap = True
    for model, manifest in found:
        scores = [f"{manifest.metrics[key]:.4f}" if key in manifest.metrics else "" for key in shown]
        star = "*" if manifest.version == current[model] else ""
        grid.add_row(star, model, manifest.version, manifest.provenance.base_model, *scores)
    console.print(grid)


def _manifests(reader: ModelStore, model: str) -> Iterator[Manifest]:
    """Those of the model's versions; one that can't be read is said to be so."""
    for version in reader.versions(model):
        try:
            yield read_manifest(reader.path(model, version))
        except BadArtifact as error:
            errors.print(str(error), style="red", soft_wrap=True)


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="the current one if not given")] = None, name: ModelName = None
) -> None:
    """Everything that a version's manifest says, after checking every file against it."""
    store = named(name).store
    manifest = store.versions.whole(version or store.reader.current(store.name))
    console.print_json(manifest.model_dump_json(exclude={"golden", "files"}))


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="an artifact made elsewhere")],
    name: ModelName = None,
    margin: Margin = MARGIN,
    force: Force = False,
) -> None:
    """Add the artifact in a folder, and serve it unless it is worse than the current version."""
    target = named(name)
    verify(folder)
    with target.store.staging() as staged:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        manifest = target.store.add(staged)
    console.print(f"added {manifest.version}")
    if not force:
        target.store.refuse_if_worse(manifest, margin)
    target.activate(manifest.version)


@app.command()
def activate(version: Version, name: ModelName = None) -> None:
    """Serve this version from now on, however it scores."""
    named(name).activate(version)


@app.command()
def rollback(name: ModelName = None) -> None:
    """Serve the version that was served before the current one."""
    target = named(name)
    target.announce(target.store.rollback())


@app.command()
def compare(first: Version, second: Version, name: ModelName = None, texts: int = 20) -> None:
    """Two versions side by side: metrics, and held-out texts of both that get another label."""
    from training.artifact.compare import compare as compare_versions

    store = named(name).store
    for version in (first, second):
        store.versions.whole(version)
    comparison = compare_versions(store.folder / first, store.folder / second)
    grid = Grid("score", first, second, "change", box=None)
    for score in comparison.scores:
        grid.add_row(score.name, f"{score.first:.4g}", f"{score.second:.4g}", f"{score.second - score.first:+.4g}")
    console.print(grid)
    console.print(f"{len(comparison.changes)} of {comparison.common} common held-out texts get another label")
    grid = Grid("text", "label", first, second)
    for change in comparison.changes[:texts]:
        grid.add_row(change.text[:100], change.label, change.first, change.second)
    if comparison.changes:
        console.print(grid)


@app.command()
def prune(
    keep: Annotated[int, typer.Option(min=1, help="how many of the newest versions stay")], name: ModelName = None
) -> None:
    """Delete old versions, never the current one."""
    deleted = named(name).store.prune(keep)
    console.print(f"deleted: {', '.join(deleted) or 'nothing'}")
