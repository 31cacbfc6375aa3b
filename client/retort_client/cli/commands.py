"""The commands, as typed by a user."""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Column, Table

from retort_client.cli.interruption import Interruption
from retort_client.cli.run import STANDARD, RunPlan, run
from retort_client.cli.table_rows import Format, Quotes, Reading
from retort_client.cli.tables import format_of
from retort_client.client import Client
from retort_client.wire import Options

INTERRUPTED = 130
RUN_RETRIES = 40
"""Some ten minutes: a run outlives a restart of the service."""
KEY_VARIABLE = "RETORT_API_KEY"

app = typer.Typer(
    name="retort",
    help=f"Ask a Retort service to classify texts. An API key is read from {KEY_VARIABLE}.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
jobs = typer.Typer(help="Look at jobs and cancel them.", no_args_is_help=True)
app.add_typer(jobs, name="jobs")

Url = Annotated[str, typer.Option(envvar="RETORT_URL", help="address of the service")]
LOCAL = "http://127.0.0.1:8000"


class Truncate(StrEnum):
    """Which end of a text longer than the model's maximum is cut off, or an error in its place."""

    RIGHT = "right"
    LEFT = "left"
    ERROR = "error"


class Long(StrEnum):
    """How a text longer than the model's maximum is read."""

    CUT = "cut"
    MEAN = "mean"
    MAX = "max"


@app.command()
def predict(
    questions: Annotated[Path, typer.Argument(help="CSV, TSV or JSON lines (.csv .tsv .jsonl); - is stdin")],
    output: Annotated[Path, typer.Option("--output", "-o", help="answers, in the format of its ending")] = STANDARD,
    url: Url = LOCAL,
    column: Annotated[str | None, typer.Option(help="the column with the texts: the only one, or a usual name")] = None,
    model: Annotated[str | None, typer.Option(help="the model to ask instead of the default one")] = None,
    top_k: Annotated[int, typer.Option(min=1, help="labels per text")] = 1,
    scores: Annotated[bool, typer.Option("--scores", help="every label's score")] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="score from which a label holds, where a text may have several")
    ] = None,
    label_separator: Annotated[str, typer.Option(help="between the labels of a text in their column")] = "|",
    label_columns: Annotated[bool, typer.Option("--label-columns", help="a column of 0 and 1 a label instead")] = False,
    marks: Annotated[bool, typer.Option("--marks", help="columns for what few answers have")] = False,
    long: Annotated[Long | None, typer.Option(help="read long texts in windows, by the mean or max of logits")] = None,
    span: Annotated[bool, typer.Option("--span", help="of texts that are cut off, which characters were read")] = False,
    truncate: Annotated[Truncate, typer.Option(help="what to do with texts that are too long")] = Truncate.RIGHT,
    window: Annotated[int, typer.Option(min=1, help="rows that are sent together")] = 2000,
    from_format: Annotated[Format | None, typer.Option("--from", help="format of the questions")] = None,
    delimiter: Annotated[str | None, typer.Option(help="what divides the cells of a row; tab for a tab")] = None,
    encoding: Annotated[str | None, typer.Option(help="of the questions: utf-8, cp1252, utf-16, …")] = None,
    quotes: Annotated[Quotes, typer.Option(help="a quotation mark encloses a cell, or is text")] = Quotes.CSV,
    odd_rows: Annotated[int, typer.Option(min=0, help="rows to leave out that can't be read")] = 0,
    to_format: Annotated[Format | None, typer.Option("--to", help="format of the answers")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="forget an unfinished run")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar")] = False,
) -> None:
    """Predict a table of texts, row by row, in order.

    Interrupted in any way, the same command goes on where it was.
    """
    plan = RunPlan(
        source=questions,
        target=output,
        column=column,
        window=window,
        source_format=from_format or format_of(questions),
        reading=_reading(delimiter, encoding, quotes, odd_rows),
        target_format=to_format or format_of(output),
        options={"top_k": top_k, "scores": scores, "truncate": truncate.value}
        | _chosen(model=model, threshold=threshold, long=long, span=span or None),
        label_separator=label_separator,
        label_columns=label_columns,
        marks=marks,
        restart=restart,
        quiet=quiet,
    )
    _carry_out(plan, url)


def _chosen(**options: object) -> Options:
    """The options that are sent only when they are given: the service decides by itself, or is too old to know them."""
    return cast("Options", {name: value for name, value in options.items() if value is not None})


def _carry_out(plan: RunPlan, url: str) -> None:
    """Do the run. Exits with INTERRUPTED when the user stops it."""
    console = Console(stderr=True)
    _show_retries(console)
    try:
        with Interruption() as interruption, _client(url, timeout_s=math.inf, retries=RUN_RETRIES) as client:
            run(client, plan, console, interruption.check)
    except KeyboardInterrupt:
        hint = "" if plan.target == STANDARD else "; the same command goes on where it was"
        console.print(f"interrupted{hint}")
        raise typer.Exit(INTERRUPTED) from None


@jobs.command()
def show(job_id: str, url: Url = LOCAL) -> None:
    """A job as it stands, as JSON."""
    with _client(url) as client:
        typer.echo(json.dumps(asdict(client.job(job_id).status), default=str, indent=2))


@jobs.command()
def cancel(job_id: str, url: Url = LOCAL) -> None:
    """Cancel a job, and delete its texts and results."""
    with _client(url) as client:
        client.job(job_id).cancel()


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="a model, to see its versions")] = None, url: Url = LOCAL
) -> None:
    """The models of the service, or the versions of one."""
    with _client(url) as client:
        Console(markup=False, emoji=False).print(_versions(client, name) if name else _models(client))


def _models(client: Client) -> Table:
    table = _table("model", "default", "current version", "versions", "workers ready")
    for one in client.models():
        default = "yes" if one.default else ""
        table.add_row(one.name, default, one.current or "none", str(len(one.versions)), str(one.workers))
    return table


def _versions(client: Client, name: str) -> Table:
    table = _table("version", "current", "labels", "metrics", "workers")
    for one in client.model(name):
        metrics = "\n".join(f"{metric} {value:.4g}" for metric, value in one.metrics.items())
        current = "yes" if one.current else ""
        table.add_row(one.version, current, ", ".join(one.labels), one.problem or metrics, str(len(one.workers)))
    return table


def _table(*headers: str) -> Table:
    """Whose cells are never cut off."""
    return Table(*(Column(header, overflow="fold") for header in headers))


def _reading(delimiter: str | None, encoding: str | None, quotes: Quotes, odd_rows: int) -> Reading:
    try:
        return Reading(delimiter=delimiter, encoding=encoding, quotes=quotes, odd_rows=odd_rows)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _client(url: str, timeout_s: float = 60.0, retries: int = 2) -> Client:
    return Client(url, api_key=os.environ.get(KEY_VARIABLE), timeout_s=timeout_s, retries=retries)


def _show_retries(console: Console) -> None:
    """Above the bar, so that a run that waits for a busy service says so."""
    handler = RichHandler(console=console, show_path=False, show_level=False)
    logging.getLogger("retort_client").addHandler(handler)
