"""The command line: `python -m training --help`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from contract.artifact import read_manifest
from contract.errors import NoModel, RetortError
from contract.model_store import ModelStore
from training.data import BadRows, read_table
from training.device import cpu_precision
from training.hyperparameters import HyperParameters
from training.options import with_options
from training.recipe import Recipe
from training.settings import TrainingSettings
from training.store import MARGIN, Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()

ModelName = Annotated[str | None, typer.Option("--name", help="the model's name [RETORT_MODEL]")]


@app.command()
@with_options(HyperParameters, "given")
def train(
    data: Annotated[Path, typer.Option(help="labelled texts: .csv, .tsv, .jsonl or .parquet")],
    name: ModelName = None,
    base: Annotated[str, typer.Option(help="minilm, a folder, or a downloaded base model")] = "minilm",
    text_column: Annotated[str, typer.Option(help="the column with the texts")] = "post",
    label_column: Annotated[str, typer.Option(help="the column with the labels")] = "tags",
    bad_rows: Annotated[BadRows, typer.Option(help="what to do with rows that lack a text or a label")] = "drop",
    if_missing: Annotated[bool, typer.Option("--if-missing", help="do nothing when a version is current")] = False,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="do nothing when the current version was made just so")
    ] = False,
    margin: Annotated[float, typer.Option(help="accuracy that it may lose against the current version")] = MARGIN,
    force: Annotated[bool, typer.Option("--force", help="serve it even if it is worse")] = False,
    gpu: Annotated[str | None, typer.Option(help="the GPUs to use, as in CUDA_VISIBLE_DEVICES")] = None,
    given: dict[str, Any] = {},  # noqa: B006 (never changed)
) -> None:
    """Fine-tune a BERT on labelled texts, report, and publish."""
    settings, store = _store(name)
    current = _current(store)
    if if_missing and current:
        console.print(f"{store.name} {current} is current: nothing to do")
        return
    table = read_table(data, text_column, label_column, bad_rows)
    recipe = Recipe(store.name, base, table, HyperParameters.chosen(given, len(table), cpu_precision()))
    if if_changed and current and recipe.made(read_manifest(store.folder / current)):
        console.print(f"{store.name} {current} was made just so: nothing to do")
        return
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    _train_and_serve(recipe, store, settings, None if force else margin)


@app.command("list")
def list_versions() -> None:
    """Every model and version on the volume; the current ones are marked."""
    reader = ModelStore(TrainingSettings.load().models_dir)
    for name in reader.names():
        current = _current(Store(reader.root, name))
        for version in reader.versions(name):
            accuracy = read_manifest(reader.path(name, version)).metrics.get("accuracy", float("nan"))
            console.print(f"{'*' if version == current else ' '} {name} {version} accuracy {accuracy:.4f}")


def _train_and_serve(recipe: Recipe, store: Store, settings: TrainingSettings, margin: float | None) -> None:
    from training.train import train  # it imports TensorFlow, which takes seconds

    manifest = train(recipe, store, settings, console)
    metrics = manifest.metrics
    console.print(
        f"{manifest.name} {manifest.version}: accuracy {metrics['accuracy']:.4f} on {metrics['test_texts']:.0f} "
        f"held-out texts, baseline {metrics['baseline_accuracy']:.4f}, "
        f"calibration error {metrics['calibration_error']:.3f}"
    )
    if margin is not None:
        store.refuse_if_worse(manifest, margin)
    store.activate(manifest.version)
    console.print(f"current: {store.folder / manifest.version}")


def _store(name: str | None) -> tuple[TrainingSettings, Store]:
    settings = TrainingSettings.load()
    return settings, Store(settings.models_dir, name or settings.model)


def _current(store: Store) -> str | None:
    try:
        return store.reader.current(store.name)
    except NoModel:
        return None


def main() -> None:
    try:
        app()
    except RetortError as error:
        console.print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
