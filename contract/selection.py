"""Which models somebody serves: names with commas between them, `*` for every model on the volume, or both."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.artifact import NAME_PATTERN

EVERY = "*"
USUAL = "default"
"""The model that requests without a name go to, where no name is given."""


@dataclass(frozen=True)
class Selection:
    """The value of RETORT_MODEL."""

    names: tuple[str, ...]
    every: bool = False
    """Whether models are served besides the named ones, as they appear on the volume."""

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Raises ValueError for what is no list of names."""
        parts = [part.strip() for part in text.split(",")]
        for part in parts:
            if part != EVERY and not re.fullmatch(NAME_PATTERN, part):
                raise ValueError(
                    f"{part!r} is no model's name: small letters, digits, '.', '_' and '-', at most 64; or * for every "
                    "model on the volume"
                )
        return cls(tuple(dict.fromkeys(part for part in parts if part != EVERY)), EVERY in parts)

    @property
    def default(self) -> str:
        """The model that a request goes to which names none: the first of the list."""
        return self.names[0] if self.names else USUAL

    def __contains__(self, name: str) -> bool:
        return self.every or name in self.names

    def __str__(self) -> str:
        return ",".join((*self.names, *[EVERY] * self.every))
