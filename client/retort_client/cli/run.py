"""`retort predict`: from a table of texts to a table of answers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from retort_client.cli import tables
from retort_client.cli.answer_columns import AnswerColumns
from retort_client.cli.bar import ProgressBar
from retort_client.cli.errors import BadInput, BadOutput
from retort_client.cli.label_cells import label_cells
from retort_client.cli.outputs import FileOutput, Output, StreamOutput
from retort_client.cli.table_rows import TEXT_COLUMNS, Format, Reading, column_named, no_column
from retort_client.cli.tables import Table, Writer
from retort_client.cli.window_runner import WindowRunner
from retort_client.cli.windows import Window, windows
from retort_client.client import Client
from retort_client.documents import TextError
from retort_client.wire import Options

STANDARD = Path("-")


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What is to be done."""

    source: Path
    """`-` is stdin, as it is stdout for `target`."""
    target: Path
    column: str | None
    window: int
    """Rows of a window at most."""
    source_format: Format
    reading: Reading
    target_format: Format
    options: Options
    label_separator: str
    """Between the labels of a text, where a text may have several; JSON lines have lists."""
    label_columns: bool
    """A column a label instead."""
    marks: bool
    """Columns for what few answers have; JSON lines have such members anyway."""
    restart: bool
    quiet: bool

    @property
    def separator(self) -> str | None:
        return None if self.target_format is Format.JSONL else self.label_separator


def run(client: Client, plan: RunPlan, console: Console, check: Callable[[], object] = lambda: None) -> None:
    """Predict what is not predicted yet. Raises CommandError or RetortError; then it can be run again to go on.

    check: called between requests; what it raises ends the run.
    """
    started = time.monotonic()
    total = None if plan.source == STANDARD else _check(plan, console)
    with _source(plan) as table:
        column = _text_column(table.columns, plan)
        labels = label_cells(client, plan.options.get("model"), plan.separator, columns=plan.label_columns)
        marks = plan.marks or plan.target_format is Format.JSONL
        columns = AnswerColumns(plan.options, table.columns, labels, marks=marks)
        writer = Writer([*table.columns, *columns.names], plan.target_format)
        with _output(plan, column, columns.settings) as output:
            resumed = output.progress.rows
            if resumed:
                console.print(f"going on after {resumed:,} rows")
            cut = windows(table.rows, column, plan.window, str(plan.source))
            with ProgressBar(console, rows=total, done=resumed, quiet=plan.quiet) as bar:
                runner = WindowRunner(client, options=plan.options, run=output.progress.run, check=check)
                _answer(runner, cut, columns, writer, output, bar)
            output.finish()
        if not plan.quiet:
            _report(console, output, resumed, time.monotonic() - started)


def _answer(
    runner: WindowRunner,
    cut: Iterator[Window],
    columns: AnswerColumns,
    writer: Writer,
    output: Output,
    bar: ProgressBar,
) -> None:
    if output.progress.size == 0:
        header = writer.header()
        output.append(header, output.progress.started(len(header)))
    for sent, answers in runner.answered(_left(cut, output), bar.seen):
        window = sent.window
        cells = [columns.joined(row.cells, answer) for row, answer in zip(window.rows, answers, strict=True)]
        written = writer.rows(cells)
        errors = sum(isinstance(answer, TextError) for answer in answers)
        output.append(written, output.progress.after(window, errors, len(written)))
        bar.seen(window.end)
        runner.forget(sent)


def _left(cut: Iterator[Window], output: Output) -> Iterator[Window]:
    """The windows that are not done. Raises BadInput when those that are done have changed since."""
    done = output.progress
    seen = ""
    for _ in range(done.windows):
        window = next(cut, None)
        seen = window.digest if window else ""
    if seen != done.digest:
        raise BadInput(f"the first {done.rows:,} rows are not those of the unfinished run; --restart starts anew")
    return cut


def _check(plan: RunPlan, console: Console) -> int:
    """Read the whole table once, so that row 900,000 can't spoil a night's work; the number of its rows.

    Says what was told from the file, unless it is as usual."""
    with _source(plan) as table:
        cut = windows(table.rows, _text_column(table.columns, plan), plan.window, str(plan.source))
        rows = max((window.end for window in cut), default=0)
        for note in table.notes:
            console.print(f"{plan.source}: {note}", markup=False, highlight=False, soft_wrap=True)
    return rows


@contextmanager
def _source(plan: RunPlan) -> Iterator[Table]:
    if plan.source == STANDARD:
        yield tables.read(sys.stdin.buffer, "stdin", plan.source_format, plan.reading)
        return
    try:
        file = plan.source.open("rb")
    except OSError as error:
        raise BadInput(f"{plan.source}: {error.strerror}") from error
    with file:
        yield tables.read(file, str(plan.source), plan.source_format, plan.reading)


def _text_column(columns: Sequence[str], plan: RunPlan) -> str:
    """The one that was named, else the only one, else the first of the usual names that is there."""
    if plan.column:
        found = column_named(columns, [plan.column])
    else:
        found = columns[0] if len(columns) == 1 else column_named(columns, TEXT_COLUMNS)
    if found is None and columns:
        wanted = no_column(columns, plan.column) if plan.column else "which column has the texts? Say --column NAME."
        raise BadInput(f"{plan.source}: {wanted} There are {', '.join(columns)}")
    return found or plan.column or TEXT_COLUMNS[0]


def _output(plan: RunPlan, column: str, labels: dict[str, Any]) -> Output:
    settings: dict[str, Any] = {
        "column": column,
        "format": plan.target_format,
        "window": plan.window,
        "options": dict(plan.options),
        **labels,
        **({"marks": True} if plan.marks else {}),
    }
    if plan.target == STANDARD:
        return StreamOutput(sys.stdout.buffer, settings)
    if plan.source.resolve() == plan.target.resolve():
        raise BadOutput(f"{plan.target} is the table of questions")
    if plan.target.is_dir():
        raise BadOutput(f"{plan.target} is a folder")
    if plan.target.exists() and not plan.target.is_file():  # a pipe or a device keeps its place
        return StreamOutput(plan.target.open("wb"), settings)
    return FileOutput(plan.target, settings, plan.restart)


def _report(console: Console, output: Output, resumed: int, took_s: float) -> None:
    done = output.progress
    rate = (done.rows - resumed) / took_s
    console.print(f"{done.rows:,} rows, {done.errors:,} of them with an error, {rate:,.0f} texts/s")
