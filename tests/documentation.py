"""What README and docs show in fenced blocks. A comment before a block says why no test runs it:

<!-- not run: needs a cluster -->
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
AT_THE_TOP = ("README.md", "CONTRIBUTING.md", "client/README.md", "examples/README.md")
PAGES = sorted([*map(ROOT.joinpath, AT_THE_TOP), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
PROGRAMS = frozenset({"sh", "python"})


@dataclass(frozen=True)
class Snippet:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None
    """Why no test runs it; None for one that is run."""
    follows: bool
    """Whether nothing stands between it and the block before: then it shows what that prints."""

    @property
    def is_run(self) -> bool:
        return self.language in PROGRAMS and self.not_run is None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(page: Path) -> Iterator[Snippet]:
    """The blocks of a page, in their order."""
    content, end = page.read_text(encoding="utf-8"), 0
    for found in BLOCK.finditer(content):
        line = content.count("\n", 0, found.start("language")) + 1
        yield Snippet(
            page,
            line,
            found["language"],
            found["text"],
            found["reason"],
            follows=end > 0 and not content[end : found.start()].strip(),
        )
        end = found.end()


def runnable_pages() -> list[Path]:
    """The pages with anything to run."""
    return [page for page in PAGES if any(snippet.is_run for snippet in snippets(page))]
