"""How far a run has come: a small JSON file that lies beside the unfinished answers."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from retort_client.cli.errors import BadOutput
from retort_client.cli.windows import Window


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is done: `windows` windows with `rows` rows, whose answers are the first `size` bytes of the answers."""

    settings: dict[str, Any]
    """Everything that decides how windows are cut, asked and written; a run goes on only with the same."""
    run: str
    """Random; the idempotency keys of the run begin with it."""
    windows: int = 0
    rows: int = 0
    errors: int = 0
    size: int = 0
    digest: str = ""
    """`Window.digest` of the last window done."""

    @classmethod
    def start(cls, settings: dict[str, Any]) -> Self:
        return cls(settings=settings, run=uuid.uuid4().hex)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises BadOutput."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise BadOutput(f"{path} is damaged ({error}); --restart starts anew") from error

    def started(self, size: int) -> Self:
        """With a header of so many bytes and nothing else."""
        return replace(self, size=size)

    def after(self, window: Window, errors: int, size: int) -> Self:
        """With one more window done, of whose rows so many are errors, and whose answers have so many bytes."""
        return replace(
            self,
            windows=window.number + 1,
            rows=window.end,
            errors=self.errors + errors,
            size=self.size + size,
            digest=window.digest,
        )

    def save(self, path: Path) -> None:
        """At once or not at all."""
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
