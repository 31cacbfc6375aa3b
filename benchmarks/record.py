"""Measured figures: a JSON file of them by part, and the page of docs/ that shows them."""

from __future__ import annotations

import json
import platform
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from contract import processor

ROOT = Path(__file__).parents[1]
PACKAGES = (
    *("tensorflow", "tensorflow-cpu"),  # one of them is installed: which one depends on the platform
    *("bert-for-tf2", "tokenizers", "celery", "kombu", "redis", "flask", "gunicorn", "gevent"),
)


@dataclass(frozen=True)
class Record:
    """Where the figures of one program are kept and shown."""

    results: Path
    """JSON."""
    page: Path
    """Markdown, with the markers `<!-- figures -->` and `<!-- end -->`."""

    def load(self) -> dict[str, Any]:
        """`figures` by name, and `parts` by name: the machine and whatever else a part keeps."""
        if not self.results.exists():
            return {"schema": 1, "figures": {}, "parts": {}}
        loaded: dict[str, Any] = json.loads(self.results.read_text(encoding="utf-8"))
        return loaded

    def store(self, results: dict[str, Any]) -> None:
        self.results.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")

    def show(self, tables: str) -> None:
        """Put the tables between the page's markers."""
        head, _, rest = self.page.read_text(encoding="utf-8").partition("<!-- figures -->")
        tail = rest.partition("<!-- end -->")[2]
        self.page.write_text(f"{head}<!-- figures -->\n\n{tables}\n\n<!-- end -->{tail}", encoding="utf-8")


def machine() -> dict[str, Any]:
    """What the figures were measured on, and with."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": processor.name(),
        "cores": processor.usable_cores(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": _installed_versions(),
    }


def _installed_versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
