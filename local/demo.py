"""From a CSV to an answer: trains the example unless a model is there, starts the stack, asks two questions."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from contract.errors import NoModel
from contract.model_store import ModelStore
from contract.settings import SharedSettings
from local import stack
from local.ports import is_free
from local.readiness import wait_until_ready
from local.stack import Ports, StackError

EXAMPLE = "examples/questions.csv"
QUESTIONS = (
    "Why does my code keep throwing me null pointer exception?",
    "I wrote a loop that i cannot exit, what am I doing wrong?",
)
BAR_WIDTH = 24


def run(port: int, console: Console) -> None:
    """What `make demo` does. Raises StackError with advice; what it had to start is then stopped again."""
    ports = running_at(port)
    if ports is None:
        train_unless_published(console)
        ports = start(port, console)
    else:
        wait_until_ready(ports, console)
    if (predictions := ask(ports)) is None:
        console.print("\nThe service asks for an API key. With one in RETORT_API_KEY, this asks its two questions.")
    else:
        show_answers(predictions, console)
    show_next_steps(ports, console)


def running_at(port: int) -> Ports | None:
    """The stack, when it runs already. Raises StackError when it can't run at this port."""
    ports = stack.running()
    if ports is None and not is_free(port):
        raise StackError(f"port {port} is taken by another program; choose one with PORT=, as in: make demo PORT=8123")
    if ports is not None and ports.api != port:
        raise StackError(f"Retort runs already, on port {ports.api}: make demo PORT={ports.api}, or make down first")
    return ports


def train_unless_published(console: Console) -> None:
    settings = SharedSettings.load()
    if isinstance(settings.models_dir, Path):
        try:
            ModelStore(settings.models_dir).current(settings.default_model)
            return
        except NoModel:
            console.rule(f"Fine-tuning a BERT on {EXAMPLE}")
    training = [sys.executable, "-m", "training", "train", "--data", EXAMPLE, "--if-missing"]
    if subprocess.run(training).returncode != 0:
        raise StackError("training failed; what it printed above says why")


def start(port: int, console: Console) -> Ports:
    """Start the stack and return when it is ready."""
    console.rule("Starting Redis, one worker and the API")
    ports = stack.start(port)
    try:
        wait_until_ready(ports, console)
    except (StackError, KeyboardInterrupt):
        stack.stop()
        raise
    return ports


def ask(ports: Ports) -> list[dict[str, Any]] | None:
    """The predictions of the two questions, three labels each; None without the API key that is asked for.

    The key is taken from RETORT_API_KEY, as the client takes it. Raises StackError.
    """
    key = os.environ.get("RETORT_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = {"texts": QUESTIONS, "top_k": 3}
    answer = httpx.post(f"{ports.api_url}/predict", json=asked, headers=headers, timeout=60)
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return None
    if answer.status_code != httpx.codes.OK:
        raise StackError(f"the question was answered with status {answer.status_code}: {answer.text}")
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def show_answers(predictions: list[dict[str, Any]], console: Console) -> None:
    console.rule("Answers")
    for question, prediction in zip(QUESTIONS, predictions, strict=True):
        console.print(f"\n  [bold]{question}[/bold]", highlight=False)
        for scored in prediction["top"]:
            bar = "█" * round(scored["score"] * BAR_WIDTH)
            line = f"    {scored['label']:<14} {scored['score']:6.1%}  {bar}"
            console.print(line, markup=False, emoji=False, highlight=False)


def show_next_steps(ports: Ports, console: Console) -> None:
    console.print()
    console.rule("Try next")
    console.print(
        f"""
  {ports.api_url}/   the page, in a browser: try texts, label a whole file, see the model's report

  curl {ports.api_url}/predict -H 'Content-Type: application/json' \\
       -d '{{"texts": ["how do I undo my last commit"]}}'

  .venv/bin/retort predict {EXAMPLE} -o answers.csv --url {ports.api_url}

  {ports.api_url}/docs   every endpoint, to try in the browser
  make status   what runs            make logs   what it says
  make down     stop it              make help   everything else
""",
        highlight=False,
        soft_wrap=True,
    )
