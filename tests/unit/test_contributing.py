"""CONTRIBUTING.md sends a newcomer to the right files: each of them knows the example that it goes by."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTIONS = re.findall(
    r"^## (Add [^\n]+)\n\nAs `([\w-]+)`:\n\n(.*?)(?=^## |\Z)",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)
NOT_OF_THE_EXAMPLE = {"api/views/request_metrics.py", "worker/metrics.py", "contract/settings.py"}
"""Files that a list names for other cases than its example's."""


def test_there_is_a_list_for_what_is_added_most_often() -> None:
    assert [title for title, _, _ in SECTIONS] == [
        "Add an option of a request", "Add a metric", "Add a setting", "Add a problem"
    ]  # fmt: skip


@pytest.mark.parametrize(("title", "example", "steps"), SECTIONS, ids=[title for title, _, _ in SECTIONS])
def test_every_file_of_a_list_has_its_example(title: str, example: str, steps: str) -> None:
    files = {name for name in re.findall(r"`([\w./-]+)`", steps) if "/" in name}
    assert files, title
    spellings = {example, example.upper(), example.replace("_", "-")}
    for name in files:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert name in NOT_OF_THE_EXAMPLE or any(spelling in text for spelling in spellings), name


@pytest.mark.parametrize(
    ("example", "folders", "missed"),
    [("truncate", ("contract", "client"), {"client/retort_client/cli/outputs.py"})],
)
def test_no_file_that_defines_an_option_is_left_out(example: str, folders: tuple[str, ...], missed: set[str]) -> None:
    listed = set(re.findall(r"`([\w./-]+\.py)`", SECTIONS[0][2]))
    found = {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if re.search(rf"\b{example}\b", path.read_text(encoding="utf-8"))
    }
    assert found - missed <= listed
