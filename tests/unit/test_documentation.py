"""What can be held of the documentation without running it; tests/e2e/test_documentation.py runs its commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.documentation import PAGES, PROGRAMS, ROOT, Snippet, snippets

SNIPPETS = [snippet for page in PAGES for snippet in snippets(page)]
COMMAND = re.compile(
    r"^(docker|docker-compose|make|curl|python|pip|kubectl|rsync|retort|\.venv/bin/\w+)\b.* \S", re.MULTILINE
)
LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def anchors(page: Path) -> set[str]:
    """The names that a page's headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_fence_of_every_page_is_read() -> None:
    fences = sum(len(re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)) for page in PAGES)

    assert fences == 2 * len(SNIPPETS)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_a_command_stands_in_a_block_that_is_run_or_says_why_not(snippet: Snippet) -> None:
    assert snippet.language in PROGRAMS or not COMMAND.search(snippet.text)


@pytest.mark.parametrize("snippet", [one for one in SNIPPETS if one.language in ("json", "yaml")], ids=str)
def test_documents_that_are_shown_can_be_read(snippet: Snippet) -> None:
    assert (json.loads if snippet.language == "json" else yaml.safe_load)(snippet.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    broken = []
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor[1:] not in anchors(file)):
            broken.append(target + anchor)

    assert broken == []
