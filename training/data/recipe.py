"""A recipe: everything that decides which model a run makes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from contract.artifact import Manifest
from training.data.corpus import Corpus
from training.hyperparameters import HyperParameters


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Base model, data and hyper-parameters of the model `name`."""

    name: str
    base: str
    corpus: Corpus
    parameters: HyperParameters
    reasons: tuple[str, ...] = ()
    """Why those of the parameters that nobody gave are as they are, a line each."""

    @property
    def key(self) -> str:
        """12 hexadecimal digits, the same exactly for recipes of the same model."""
        parts = [self.base, self.corpus.sha256, self.parameters.model_dump_json()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]

    def matches(self, manifest: Manifest, base_sha256: str) -> bool:
        """Whether the version with this manifest came out of this recipe, from base weights of this digest.

        A version that does not say which weights it came from is told by the name of its base model.
        """
        made = manifest.provenance
        found = made.base_model, made.base_sha256 or base_sha256, made.data_sha256, made.hyperparameters, manifest.other
        return found == (
            Path(self.base).name,
            base_sha256,
            self.corpus.sha256,
            self.parameters.model_dump(),
            self.corpus.table.other,
        )
