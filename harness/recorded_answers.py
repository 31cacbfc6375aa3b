"""What the API answers to some requests, to the byte but for what differs from run to run.

`python -m harness.recorded_answers REVISION FILE` writes the answers of another revision of this repository.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from contract.artifact import read_manifest
from harness.artifact import point_current_to
from harness.process import ROOT
from harness.release import checked_out
from harness.running_service import RunningService

ARTIFACT = ROOT / "tests" / "golden" / "artifact_schema_1"
SETTINGS: dict[str, Any] = {"precision": "float32", "device": "cpu", "cpu_threads": 1}
LONG = "how do I join the rows of a table with a list " * 8
TEXTS = [
    "join two tables",
    "",
    "List comprehension: a list of lists?",
    "select rows from a table",
    LONG,
    "join two tables",
]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "top_k": {"top_k": 2},
    "scores": {"scores": True},
    "all of it, from the left": {"top_k": 3, "scores": True, "truncate": "left"},
    "nothing is cut off": {"truncate": "error"},
}
KINDS = ("application/json", "application/x-ndjson", "text/csv")
VARYING = {
    r"\ba[a-z0-9]{28}\b": "JOB",
    r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00": "TIME",
    r'(?<=_s": )\d+\.\d+|(?<=_s":)\d+\.\d+': "SECONDS",
}


def service(models: Path, code: Path = ROOT) -> RunningService:
    """A service of the artifact that 0.1.0 published, which is put into the folder."""
    manifest = read_manifest(ARTIFACT)
    shutil.copytree(ARTIFACT, models / manifest.name / manifest.version)
    point_current_to(models, manifest.name, manifest.version)
    return RunningService(models, model=manifest.name, code=code, **SETTINGS)


def answers(url: str) -> dict[str, str]:
    """The bodies by the names of the requests."""
    found: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=60) as client:
        for name, options in OPTIONS.items():
            answer = client.post("/predict?wait=30", json={"texts": TEXTS, **options}).raise_for_status()
            found[name] = answer.text
            results = answer.json()["results"]
            for kind in KINDS:
                page = client.get(results, headers={"Accept": kind}).raise_for_status()
                found[f"{name}, results as {page.headers['Content-Type']}"] = page.text
    return {name: _steady(body) for name, body in found.items()}


def _steady(body: str) -> str:
    for pattern, word in VARYING.items():
        body = re.sub(pattern, word, body)
    return body


def main(revision: str, file: Path) -> None:
    with checked_out(revision) as code, tempfile.TemporaryDirectory() as models, service(Path(models), code) as running:
        file.write_text(json.dumps(answers(running.url), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
