"""Finding the base model that a name or a path means."""

from __future__ import annotations

from pathlib import Path

from contract.hints import hint
from training.errors import BadBaseModel
from training.pretrained import google_checkpoint, hugging_face, minilm
from training.pretrained.base_model import BaseModel
from training.pretrained.catalog import GOOGLE_MODELS


def load_base_model(name: str, downloads: Path) -> BaseModel:
    """`minilm`, a folder, or the name of a folder in `downloads`. Raises BadBaseModel."""
    if name == "minilm":
        return minilm.load()
    folder = next((path for path in (Path(name), downloads / name) if path.is_dir()), None)
    if folder is None:
        advice = "; make download_base_bert fetches it" if name in GOOGLE_MODELS else hint(name, _known(downloads))
        raise BadBaseModel(f"{name}: neither a folder nor a base model in {downloads}{advice}")
    if (folder / hugging_face.CONFIG).exists():
        return hugging_face.load(folder, folder.name)
    if google_checkpoint.holds_checkpoint(folder):
        return google_checkpoint.load(folder)
    raise BadBaseModel(f"{folder}: holds neither a {hugging_face.CONFIG} nor a checkpoint of Google's (*.ckpt.index)")


def _known(downloads: Path) -> list[str]:
    """Names of base models that there are, or that can be downloaded."""
    here = [path.name for path in downloads.iterdir() if path.is_dir()] if downloads.is_dir() else []
    return ["minilm", *here, *GOOGLE_MODELS]
