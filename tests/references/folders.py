"""The committed models and tokenizers of `make.py` and `make_saved_by_4.py`, as folders that a user would have."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

REFERENCES = Path(__file__).parents[1] / "golden" / "references"
MODELS = sorted(folder.name for folder in (REFERENCES / "models").iterdir())
TOKENIZERS = sorted(folder.name for folder in (REFERENCES / "tokenizers").iterdir())
SAVED_BY_4_FOLDER = REFERENCES / "saved_by_4"
SAVED_BY_4 = sorted(folder.name for folder in SAVED_BY_4_FOLDER.glob("*"))
"""Whole folders as transformers 4 left them, with `logits.json`."""


def logits_of(model: str) -> dict[str, Any]:
    """What transformers answered: `logits` of the hard texts with the numbers in `texts`."""
    found: dict[str, Any] = json.loads((REFERENCES / "models" / model / "logits.json").read_bytes())
    return found


def classifier_folder(model: str, target: Path, form: str = "saved") -> Path:
    """The model with its tokenizer, `saved` by transformers 5 or as the `files` of earlier releases."""
    tokenizer = REFERENCES / "tokenizers" / logits_of(model)["tokenizer"] / form
    shutil.copytree(REFERENCES / "models" / model, target, ignore=shutil.ignore_patterns("logits.json"))
    shutil.copytree(tokenizer, target, dirs_exist_ok=True)
    return target
