"""What a person does in the part of the page that labels a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from playwright.sync_api import Page, expect

from harness.answering_worker import scores


def best(text: str) -> str:
    return max(scores(text).items(), key=lambda pair: pair[1])[0]


def write_csv(path: Path, rows: int) -> list[str]:
    texts = [f"question number {number}, with a comma" for number in range(rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "text"])
        writer.writerows(enumerate(texts))
    return texts


def choose(page: Page, file: Path) -> None:
    page.locator("input[type=file]").set_input_files(file)


def begin(page: Page, file: Path, rows: int) -> None:
    choose(page, file)
    page.get_by_role("button", name=f"Label {rows:,} row").click()


def finish(page: Page) -> None:
    expect(page.get_by_text("All rows are answered.")).to_be_visible(timeout=110_000)


def downloaded(page: Page, button: str = "Download CSV") -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=button).click()
    content = Path(waiting.value.path()).read_bytes()
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def assert_labelled(page: Page, texts: list[str]) -> None:
    rows = downloaded(page)
    assert [row["text"] for row in rows] == texts
    assert [row["label"] for row in rows] == [best(text) for text in texts]
