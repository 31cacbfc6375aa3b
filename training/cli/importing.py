"""`import`: serve a classifier that was fine-tuned elsewhere."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from contract.artifact import Manifest
from training.artifact.store import MAIN_SCORES, MARGIN, SCORE_NAMES
from training.cli.app import Force, Margin, ModelName, app, console, named
from training.cli.options import validated, with_options
from training.data.table_options import TableOptions


@app.command("import")
@with_options(TableOptions, "reading")
def import_model(
    folder: Annotated[Path, typer.Argument(help="a Hugging Face text classifier, as save_pretrained writes it")],
    name: ModelName = None,
    evaluate: Annotated[
        str | None, typer.Option(help="labelled texts to score it on and calibrate it by, thresholds included")
    ] = None,
    margin: Margin = MARGIN,
    force: Force = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Add a fine-tuned BERT, DistilBERT, RoBERTa, ELECTRA or ALBERT classifier, and serve it."""
    # Read when numpy is imported. A text's products are small: threads that share one wait for each other, and take
    # many times the processor's time that one alone does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from training.artifact.imported import add_imported
    from training.data.table import read_table
    from training.pretrained.classifier import read_classifier_folder

    started, target = time.monotonic(), named(name)
    model = read_classifier_folder(folder)
    # Unless that is said, a row without a label is no proof that the model has one for such texts.
    table = read_table(evaluate, validated(TableOptions, {"other": "", **reading})) if evaluate else None
    manifest = add_imported(model, target.store, table, started, console)
    if model.left_out:
        console.print(f"left out: {', '.join(model.left_out)}", soft_wrap=True)
    if model.tokenizer.truncation == "left":
        console.print('its makers cut long texts off at the start: ask with "truncate": "left"', soft_wrap=True)
    _show(manifest)
    if evaluate and not force:
        target.store.refuse_if_worse(manifest, margin)
    target.activate(manifest.version)


def _show(manifest: Manifest) -> None:
    metrics, kind = manifest.metrics, "one label a text" if manifest.activation == "softmax" else "several labels"
    console.print(
        f"{manifest.name} {manifest.version}: {manifest.architecture.family}, {len(manifest.labels)} labels, {kind}, "
        f"up to {manifest.max_length} tokens",
        soft_wrap=True,
    )
    if metrics:
        score = MAIN_SCORES[manifest.activation]
        console.print(
            f"{SCORE_NAMES[score]} {metrics[score]:.4f} on {metrics['test_texts']:.0f} texts, temperature "
            f"{manifest.temperature:.2f} from {manifest.calibrated_on} others",
            soft_wrap=True,
        )
    else:
        console.print("scores are as the model gives them: --evaluate FILE would calibrate and score it")
