"""`download-base`, `download-data`, `data-report`: what training starts from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from training.cli.app import BaseName, DataFile, app, console
from training.cli.options import validated, with_options
from training.data.table_options import TableOptions
from training.hyperparameters import HyperParameters
from training.pretrained.catalog import DEFAULT_MODEL, download_base, download_questions
from training.settings import TrainingSettings


@app.command("download-base")
def download_base_model(
    name: Annotated[str, typer.Argument(help="one of Google's BERTs or ALBERTs, as albert_base_v2")] = DEFAULT_MODEL,
) -> None:
    """Fetch a pretrained BERT or ALBERT of Google's; an interrupted download goes on where it was."""
    console.print(
        f"base model: {download_base(name, TrainingSettings.load().base_models_dir, console)}", soft_wrap=True
    )


@app.command("download-data")
def download_data() -> None:
    """Fetch 40,000 Stack Overflow questions with one of 20 tags each."""
    console.print(f"data: {download_questions(TrainingSettings.load().data_dir, console)}", soft_wrap=True)


@app.command("data-report")
@with_options(TableOptions, "reading")
def data_report(
    data: DataFile,
    base: BaseName = "minilm",
    max_length: int = HyperParameters().max_length,
    *,
    reading: dict[str, Any],
) -> None:
    """What there is to know about labelled texts before training on them."""
    from training.data.data_report import report_on, show, show_classes
    from training.data.table import read_table
    from training.pretrained.base_models import load_base_model

    table = read_table(data, validated(TableOptions, reading))
    model = load_base_model(base, TrainingSettings.load().base_models_dir)
    encoded = model.text_tokenizer(max_length).encode(table.texts)
    report = report_on(table, encoded, max_length)
    show(report, console)
    show_classes(report, console)
