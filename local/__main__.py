"""The command line behind `make demo`, `status`, `logs` and `down`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from contract.errors import RetortError
from local import demo, stack
from local.readiness import reason_not_ready
from local.stack import LOGS, ROOT, StackError

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
console = Console()


@app.command("demo")
def demo_command(port: Annotated[int, typer.Option(envvar="PORT", min=1, max=65535)] = 8000) -> None:
    """Train the example unless a model is there, start everything, ask two questions."""
    demo.run(port, console)


@app.command()
def status() -> None:
    """What runs and whether the service is ready. Exits with 1 when it is not."""
    ports = stack.running()
    if ports is None:
        console.print("Nothing runs. Start it with: make demo")
        raise typer.Exit(1)
    for process in stack.processes():
        console.print(f"  {process.name:<8} {process.state:<9} {process.description}", highlight=False)
    reason = reason_not_ready(ports)
    console.print(f"  {ports.api_url} is ready" if reason is None else f"  {ports.api_url} is not ready: {reason}")
    raise typer.Exit(0 if reason is None else 1)


@app.command()
def logs() -> None:
    """Follow the logs until Ctrl-C."""
    files = sorted(str(path) for path in LOGS.glob("*.log"))
    if not files:
        raise StackError("there are no logs yet. Start Retort with: make demo")
    os.execvp("tail", ["tail", "-n", "20", "-F", *files])


@app.command()
def down() -> None:
    """Stop everything. The model, Redis' file and the logs stay."""
    if stack.running() is None:
        console.print("Nothing runs.")
        return
    with console.status("stopping"):
        stack.stop()
    console.print("Stopped.")


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    module: str,
    arguments: Annotated[list[str] | None, typer.Argument()] = None,
    or_alone: Annotated[bool, typer.Option("--or-alone", help="run it, too, when nothing runs")] = False,
) -> None:
    """Run a module beside the service that runs, with its Redis: python -m local run worker.dead_letters list."""
    ports = stack.running()
    if ports is None and not or_alone:
        raise StackError("nothing runs. Start it with: make demo")
    raise typer.Exit(stack.run_beside(ports, module, arguments or []))


if __name__ == "__main__":
    os.chdir(ROOT)
    try:
        app()
    except (StackError, RetortError) as error:
        console.print("\n[red]Error:[/red] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(1)
