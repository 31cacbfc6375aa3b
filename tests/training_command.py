"""`python -m training` with folders of a test's own: as a user runs it, or in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from training.cli import app


def variables(folder: Path) -> dict[str, str]:
    """Models and logs in `folder`."""
    return {"RETORT_MODELS_DIR": str(folder / "models"), "RETORT_LOGS_DIR": str(folder / "logs")}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "training", *arguments]


def run_as_process(folder: Path, *arguments: str) -> str:
    """What it prints. Half of its time goes into imports."""
    done = subprocess.run(command(*arguments), env=os.environ | variables(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "absl" not in done.stderr  # TensorFlow's greeting is in the log
    return done.stdout


def run_here(folder: Path, *arguments: str) -> str:
    """What it prints, without a new process: for tests of what it learns, not of how it starts and ends."""
    done = CliRunner().invoke(app, arguments, env=variables(folder), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output
