"""`make bench_peers [PARTS="engines servers"]`: what else runs such a model on a CPU, in one run with Retort.

Writes the figures into benchmarks/results.json, and the tables of docs/benchmarks.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import artifacts, report
from benchmarks.peers import offline, over_http

PYTHON = Path(".venv-peers/bin/python")
PARTS = ("engines", "servers")


def main(parts: list[str]) -> None:
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    python = Path.cwd() / PYTHON
    with tempfile.TemporaryDirectory(prefix="retort-models-") as models, tempfile.TemporaryDirectory() as made:
        artifact = artifacts.write(Path(models), "minilm")
        folder = artifacts.write_folder(Path(made))
        if not parts or "engines" in parts:
            speeds = offline.measure(python, folder, artifact)
            report.save("peers", offline.figures(speeds), report.rows(speeds))
            report.plot_peers(speeds, "peers")
        if not parts or "servers" in parts:
            served, refusals = over_http.measure(python, folder, Path(models))
            report.save("peer_servers", over_http.figures(served), report.rows(served))
            for name, why in refusals.items():
                print(f"{name} does not run here: {why}", file=sys.stderr)
    print(report.write_page())


if __name__ == "__main__":
    main(sys.argv[1:])
