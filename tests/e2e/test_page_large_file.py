"""Files that are larger than a page should hold. PAGE_FILE_MB=1000 makes one a gigabyte; minutes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Literal

import pytest
from playwright.sync_api import Page, TimeoutError, expect

from tests.e2e.conftest import OpenPage
from tests.e2e.file_part import begin, choose, write_csv
from tests.e2e.page_stack import PageStack

MEGABYTES = int(os.environ.get("PAGE_FILE_MB", "40"))
KEPT_MEGABYTES = 200
"""A larger file is not kept in the browser, but asked for again."""
MOST_HEAP_MB = 300
MOST_CLICK_MS = 100
WATCH = """() => {
  globalThis.waits = [];
  globalThis.tasks = [0];
  document.addEventListener("click", (event) => requestAnimationFrame(() =>
    waits.push(performance.now() - event.timeStamp)), true);
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((entry) => entry.duration)))
    .observe({ type: "longtask", buffered: true });
}"""


class Watched:
    """A page whose heap and whose answers to clicks are looked at while it works."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.heaps: list[float] = []
        page.evaluate(WATCH)

    def use(self, name: str, until: Callable[[], bool], *, role: Literal["button", "radio"] = "button") -> None:
        """Click that and look until it is so; what is clicked may be gone then."""
        while not until():
            with suppress(TimeoutError):
                self.page.get_by_role(role, name=name).click(timeout=2000)
            self.heaps.append(self.page.evaluate("performance.memory.usedJSHeapSize / 1e6"))
            self.page.wait_for_timeout(200)

    def assert_light(self, what: str) -> None:
        waits = sorted(self.page.evaluate("waits"))
        middle, longest = waits[len(waits) // 2], self.page.evaluate("Math.max(...tasks)")
        print(
            f"{what}: heap at most {max(self.heaps):.0f} MB; {len(waits)} clicks: median {middle:.0f} ms, "
            f"longest {waits[-1]:.0f} ms; longest task {longest:.0f} ms"
        )
        assert max(self.heaps) < MOST_HEAP_MB
        assert middle < MOST_CLICK_MS  # a busy machine may delay some


def test_a_hundred_thousand_rows_fill_no_memory_and_leave_the_page_quick(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(stack, "file")
    write_csv(tmp_path / "questions.csv", 100_000)
    watched = Watched(page)
    begin(page, tmp_path / "questions.csv", 100_000)
    watched.use("Next", page.get_by_text("All rows are answered.").is_visible)
    watched.assert_light("100,000 rows")
    assert stack.predicted() == 100_000


def write_large(path: Path, megabytes: int) -> None:
    number = 0
    with path.open("w", encoding="utf-8") as file:
        file.write("number,question,about\n")
        while file.tell() < megabytes * 1_000_000:
            file.writelines(
                f'{row},"how do I undo commit {row} of a branch, and keep what came after it",row {row}\n'
                for row in range(number, number + 10_000)
            )
            number += 10_000


@pytest.mark.timeout(1200)
def test_a_large_file_shows_its_columns_at_once_flows_and_goes_on_in_another_tab(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    write_large(tmp_path / "large.csv", MEGABYTES)
    page = open_page(stack, "file")
    watched = Watched(page)
    began = monotonic()
    choose(page, tmp_path / "large.csv")
    expect(page.get_by_role("radio", name="question")).to_be_checked()
    columns_s = monotonic() - began
    # It counts the rows as soon as all are read, which a quick machine does before this.
    page.get_by_role("button", name=re.compile(r"^Label (all|[\d,]+) rows$")).click()
    watched.use("question", page.locator(".run").is_visible, role="radio")
    read_s = monotonic() - began
    stack.wait_for_predicted(1000)
    flows_s = monotonic() - began
    print(f"{MEGABYTES} MB: columns after {columns_s:.1f} s, read after {read_s:.0f}, the first window {flows_s:.0f}")
    watched.use("Next", lambda: stack.predicted() > 50_000)
    watched.assert_light(f"{MEGABYTES} MB")
    page.close()
    page = open_page(stack, "file")
    if MEGABYTES > KEPT_MEGABYTES:
        expect(page.get_by_text("Drop the same file here, and it goes on")).to_be_visible()
        choose(page, tmp_path / "large.csv")
    before = stack.predicted()
    stack.wait_for_predicted(before + 10_000)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    answered = page.locator("progress").evaluate("(one) => one.value")
    assert stack.accepted_jobs() <= answered / 1000 + 5  # none was sent twice; some are under way
    assert columns_s < 5  # a small part of the time that reading takes
