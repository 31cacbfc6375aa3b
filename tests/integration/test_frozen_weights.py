"""The worker's own TensorFlow settings, in a process of their own: oneDNN keeps a copy of every weight it has seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.tiny_artifact import write_tiny_artifact

ROOT = Path(__file__).parents[2]
TWO_MODELS = """
import gc, os, sys
from pathlib import Path
from worker.engine.model import check_golden, load

assert os.environ["TF_ONEDNN_ASSUME_FROZEN_WEIGHTS"] == "1"
old, new = (load(Path(folder), "float32") for folder in sys.argv[1:])
for model in (old, new, old, new):
    check_golden(model)
del old, model
gc.collect()
check_golden(new)
check_golden(load(Path(sys.argv[1]), "float32"))
"""


def test_versions_loaded_side_by_side_never_use_each_others_weights(tmp_path: Path) -> None:
    folders = [str(write_tiny_artifact(tmp_path, version=f"v{seed}", seed=seed)) for seed in (0, 1)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, "-c", TWO_MODELS, *folders]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
