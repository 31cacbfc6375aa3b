"""Reading the weights of a Hugging Face folder: safetensors, whole or in shards. Pickles are refused, never opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from contract.artifact import sha256
from contract.errors import BadModel
from encoders.tensors import read_tensors
from training.errors import BadBaseModel
from training.pretrained.configuration import read_json

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
PICKLE_STARTS = (b"\x80", b"PK\x03\x04")
"""Of a pickle, and of the archive of pickles that PyTorch writes."""
CONVERT = (
    'convert them where the model is trusted: python -c "from transformers import '
    "AutoModelForSequenceClassification as M; M.from_pretrained('OLD').save_pretrained('NEW')\""
)


@dataclass(frozen=True)
class StoredWeights:
    """Every tensor of a folder, in whatever floating point it was stored in, and the digest of its files."""

    tensors: Mapping[str, NDArray[Any]]
    sha256: str
    source: Path


def holds_weights(folder: Path) -> bool:
    return (folder / WEIGHTS).exists() or (folder / INDEX).exists()


def read_weights(folder: Path) -> StoredWeights:
    """The weights in `folder`. Raises BadModel when there are none, or they are pickled or incomplete."""
    if (folder / WEIGHTS).exists():
        return StoredWeights(_modern(_read(folder / WEIGHTS)), sha256(folder / WEIGHTS), folder / WEIGHTS)
    if (folder / INDEX).exists():
        return _read_shards(folder)
    if pickles := sorted(path.name for pattern in PICKLES for path in folder.glob(pattern)):
        raise BadBaseModel(f"{folder / pickles[0]}: pickled weights can run code and are not opened; {CONVERT}")
    raise BadBaseModel(f"{folder}: has no {WEIGHTS}")


def _read_shards(folder: Path) -> StoredWeights:
    index = folder / INDEX
    where = read_json(index).get("weight_map")
    if not isinstance(where, dict) or not all(isinstance(file, str) for file in where.values()) or not where:
        raise BadBaseModel(f"{index}: weight_map does not say which file has which tensor")
    files = sorted(set(where.values()))
    for file in files:
        if Path(file).name != file or not file.endswith(".safetensors"):
            raise BadBaseModel(f"{index}: {file!r} is no safetensors file in this folder")
    stored = {name: (file, tensor) for file in files for name, tensor in _read(folder / file).items()}
    if wrong := sorted(name for name, file in where.items() if stored.get(name, ("",))[0] != file):
        raise BadBaseModel(f"{index}: {where[wrong[0]]} lacks {wrong[0]}")
    if extra := sorted(stored.keys() - where.keys()):
        raise BadBaseModel(f"{index}: does not list {extra[0]}")
    digest = hashlib.sha256("".join(f"{sha256(folder / file)}\n" for file in files).encode()).hexdigest()
    return StoredWeights(_modern({name: tensor for name, (_, tensor) in stored.items()}), digest, index)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        return read_tensors(path)
    except BadModel as error:
        raise BadBaseModel(_what_it_is_instead(path) or str(error)) from error


def _what_it_is_instead(path: Path) -> str | None:
    """What to say of a file that is no safetensors, where its first bytes tell."""
    start = path.read_bytes()[:4] if path.is_file() else b""
    if start.startswith(PICKLE_STARTS):
        return f"{path}: is a pickle by another name and is not opened; {CONVERT}"
    if start.startswith(b"vers"):
        return f"{path}: is a pointer of Git LFS; fetch the file itself with `git lfs pull`"
    return None


def _modern(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Files converted from early releases still call LayerNorm's tensors gamma and beta, as TensorFlow does."""
    return {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): tensor
        for name, tensor in tensors.items()
    }
