"""`train`: from a table to a served version."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from contract.artifact import Manifest, read_manifest
from training.artifact.store import MAIN_SCORES, MARGIN, SCORE_NAMES
from training.cli.app import (
    BaseName,
    DataFile,
    Force,
    Margin,
    ModelName,
    app,
    console,
    errors,
    named,
)
from training.cli.options import bad_option, validated, with_options
from training.data.table_options import TableOptions
from training.errors import BadBaseModel, BadData
from training.fit.device import best_precision
from training.hyperparameters import HyperParameters
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.data.recipe import Recipe


@app.command()
@with_options(TableOptions, "reading")
@with_options(HyperParameters, "given")
def train(
    data: DataFile,
    name: ModelName = None,
    base: BaseName = "minilm",
    validation_data: Annotated[str | None, typer.Option(help="a file of its own to choose the epoch by")] = None,
    test_data: Annotated[str | None, typer.Option(help="a file of its own to score")] = None,
    if_missing: Annotated[bool, typer.Option("--if-missing", help="do nothing when a version is current")] = False,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="do nothing when the current version was made just so")
    ] = False,
    margin: Margin = MARGIN,
    force: Force = False,
    gpu: Annotated[str | None, typer.Option(help="GPUs to use, as in CUDA_VISIBLE_DEVICES; none: -1")] = None,
    *,
    reading: dict[str, Any],
    given: dict[str, Any],
) -> None:
    """Fine-tune a BERT or ALBERT on labelled texts, report, and serve it unless it is worse than the current version.

    A run that was interrupted goes on where it was when the same command is given again.
    """
    model = named(name)
    if if_missing and model.current:
        console.print(f"{model.store.name} {model.current} is current: nothing to do")
        return
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    options = validated(TableOptions, reading)
    recipe = _recipe(model.store.name, model.settings, base, data, (validation_data, test_data), options, given)
    if if_changed and model.current and _was_made_so(recipe, model.store.folder / model.current, model.settings):
        console.print(f"{model.store.name} {model.current} was made just so: nothing to do")
        return
    from training.run import train as run

    try:
        manifest = run(recipe, model.store, model.settings, console)
    except KeyboardInterrupt:
        errors.print("interrupted; the same command goes on from the last checkpoint")
        raise typer.Exit(130) from None
    _show(manifest, model.store.folder / manifest.version)
    if not force:
        model.store.refuse_if_worse(manifest, margin)
    model.activate(manifest.version)


def _was_made_so(recipe: Recipe, version: Path, settings: TrainingSettings) -> bool:
    from training.pretrained.base_models import load_base_model

    return recipe.matches(read_manifest(version), load_base_model(recipe.base, settings.base_models_dir).sha256)


def _recipe(
    model_name: str,
    settings: TrainingSettings,
    base: str,
    data: str,
    own: tuple[str | None, str | None],
    options: TableOptions,
    given: dict[str, Any],
) -> Recipe:
    from training.data.corpus import build_corpus
    from training.data.encoded import data_facts
    from training.data.recipe import Recipe
    from training.data.table import read_table
    from training.pretrained.base_models import load_base_model

    table = read_table(data, options)
    validation, test = (read_table(file, table.read_by) if file else None for file in own)
    model = load_base_model(base, settings.base_models_dir)
    try:
        facts = data_facts(table, model)
        parameters, reasons = HyperParameters.chosen(given, facts, best_precision())
    except ValidationError as error:
        raise bad_option(error) from error
    if facts.why_frozen and parameters.epochs:
        raise BadBaseModel(f"{base}: --epochs {parameters.epochs} can't be had: {facts.why_frozen}")
    if why_not := unsuited(parameters, given, several=table.several):
        raise BadData(f"{data}: {why_not}")
    return Recipe(
        name=model_name,
        base=base,
        corpus=build_corpus(table, parameters, validation, test),
        parameters=parameters,
        reasons=tuple(reasons),
    )


def unsuited(parameters: HyperParameters, given: Mapping[str, Any], *, several: bool) -> str:
    """Why the choices are none for a table where a text has one label, or may have several; empty where they are."""
    if several and parameters.loss == "contrastive":
        return "pairs of texts can't be learnt from where a text may have several labels"
    if several and "accuracy" in given:
        return "a text may have several labels; --precision 0.9 asks for so many right ones among those that are given"
    if parameters.label_precision and not several:
        return "each text has one label; a precision is chosen where a text may have several"
    return ""


def _show(manifest: Manifest, folder: Path) -> None:
    metrics, score = manifest.metrics, MAIN_SCORES[manifest.activation]
    shown = {score: SCORE_NAMES[score], "macro_f1": "macro F1", "calibration_error": "calibration error"}
    if manifest.activation == "sigmoid":
        shown |= {"micro_precision": "precision", "micro_recall": "recall", "all_right": "all labels right"}
    console.print(
        f"{manifest.name} {manifest.version}: {metrics['test_texts']:.0f} held-out texts, "
        f"{', '.join(f'{name} {_with_interval(metrics, key)}' for key, name in shown.items())}; {shown[score]} of word "
        f"counts {metrics.get(f'baseline_{score}', math.nan):.4f}, of a linear head on the frozen base "
        f"{metrics[f'frozen_{score}']:.4f}; {manifest.provenance.duration_s:.0f} s",
        soft_wrap=True,
    )
    console.print(f"report: {folder / 'report' / 'index.html'}", soft_wrap=True)


def _with_interval(metrics: dict[str, float], name: str) -> str:
    bounds = f" [{metrics[name + '_low']:.3f} … {metrics[name + '_high']:.3f}]" if f"{name}_low" in metrics else ""
    return f"{metrics[name]:.4f}{bounds}"
