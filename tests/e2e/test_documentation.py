"""Runs every command and snippet of README and docs, page by page and in order, in a copy of the project.

The copy shares this checkout's `.venv`, holds a tiny model, and serves on a port of its own, which takes the place of
8000 in what is run. Where a page shows the JSON that a command prints, the answer must have just these members.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from contract.message import Ticket
from contract.settings import SharedSettings
from harness.direct_jobs import DirectJobs
from harness.ports import free_port
from harness.tiny_artifact import write_tiny_artifact
from tests.base_models import encoder_tensors, write_hugging_face
from tests.documentation import ROOT, Snippet, runnable_pages, snippets
from tests.references.folders import classifier_folder

PATIENCE_S = 400
PRELUDE = """
curl() { command curl --fail-with-body --silent --show-error "$@"; }
make() { command make --old-file=.venv/installed "$@"; }
"""

pytestmark = pytest.mark.timeout(900)


class Clone:
    """A copy of the tracked files, in which the service can be started as a newcomer starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in subprocess.check_output(["git", "ls-files", "-z"], cwd=ROOT, text=True).split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        write_tiny_artifact(folder / "models", name="default")
        write_base_model(folder / "tiny-bert")
        write_tickets(folder / "tickets.csv")
        classifier_folder("bert", folder / "path" / "to" / "folder")
        write_labelled(folder / "labelled.csv")

    def run(self, command: str) -> str:
        """What a shell prints for the command; the test fails when any part of it does."""
        started = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", PRELUDE + command],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that one that does not end leaves nothing behind
        )
        try:
            printed, told = started.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            raise
        assert started.returncode == 0, f"{command}\n{printed}\n{told}"
        return printed

    def _environment(self) -> dict[str, str]:
        """A newcomer's, but for ports, the small base model, and that nothing is installed anew."""
        own = {"PORT": str(self.port), "RETORT_URL": self.url, "TENSORBOARD_PORT": str(free_port())}
        own |= {"BASE": "tiny-bert", "RETORT_CLAIMS_DIR": "claims"}
        return {name: value for name, value in os.environ.items() if not name.startswith("RETORT_")} | own

    def here(self, snippet: Snippet) -> str:
        """The snippet's text with what stands for something replaced by something that is there."""
        text = snippet.text.replace(":8000", f":{self.port}")
        text = text.replace("-m training train ", "-m training train --base tiny-bert ")
        if "VERSION OTHER" in text:
            text = text.replace("VERSION OTHER", " ".join(self._versions("tickets")[-2:]))
        if "JOB/CHUNK" in text:
            text = text.replace("JOB/CHUNK", self._dead_letter())
        if "/ID" in text or " ID" in text:
            text = text.replace("/ID", f"/{(job := self._job())}").replace(" ID", f" {job}")
        return text

    def _versions(self, model: str) -> list[str]:
        """From the oldest to the newest."""
        return [manifest.parent.name for manifest in sorted((self.folder / "models" / model).glob("*/manifest.json"))]

    def _job(self) -> str:
        accepted = httpx.post(f"{self.url}/predict?wait=0", json={"texts": ["hello"] * 300})
        return str(accepted.raise_for_status().json()["id"])

    def _dead_letter(self) -> str:
        ports = json.loads((self.folder / "run" / "ports.json").read_text())
        direct = DirectJobs(SharedSettings(redis_url=f"redis://127.0.0.1:{ports['redis']}/0"))
        ticket = Ticket(direct.submit(["a text that nobody can read"], send=False), 0)
        chunks = direct.chunks("nobody")
        for _ in range(direct.settings.max_attempts):
            chunks.lease([ticket])
            chunks.give_up([ticket], "it is an example")
        direct.close()
        return str(ticket)


def write_base_model(folder: Path) -> None:
    """A tiny BERT that reads texts as long as training takes them unless told otherwise."""
    tensors = encoder_tensors()
    positions = "embeddings.position_embeddings.weight"
    tensors[positions] = np.resize(tensors[positions], (512, tensors[positions].shape[1]))
    write_hugging_face(folder, tensors, max_position_embeddings=512)


def write_tickets(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["body", "team"])
        for number in range(60):
            rows.writerow(
                [f"the {'print' if number % 2 else 'parse'} of list {number}", ("sales", "support")[number % 2]]
            )


def write_labelled(path: Path) -> None:
    """As the model at path/to/folder labels."""
    labels = ("refund", "delivery", "praise")
    path.write_text("text,label\n" + "".join(f"a text about {labels[n % 3]} {n},{labels[n % 3]}\n" for n in range(60)))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("clone"))
    clone.run("make demo")
    yield clone
    clone.run("make down")


@pytest.mark.parametrize("page", runnable_pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_what_the_page_says_can_be_done(clone: Clone, page: Path) -> None:
    for snippet, following in pairwise([*snippets(page), None]):
        assert snippet is not None
        if not snippet.is_run:
            continue
        printed = clone.run(program(clone, snippet))
        if following is not None and following.follows and following.language == "json":
            assert shape(json.loads(printed)) == shape(json.loads(following.text)), str(snippet)


def program(clone: Clone, snippet: Snippet) -> str:
    text = clone.here(snippet)
    return text if snippet.language == "sh" else f".venv/bin/python - <<'PYTHON'\n{text}\nPYTHON\n"


def shape(document: Any) -> Any:
    """The names of the members, at every depth; of a list, those of its first."""
    match document:
        case dict():
            return {name: shape(value) for name, value in document.items()}
        case list():
            return [shape(value) for value in document[:1]]
        case _:
            return None
