"""A file in the page: dropped, labelled, filtered, taken home; and whatever happens on the way."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from contract.prediction import AnswerRule
from harness.answering_worker import scores
from harness.until import until
from tests.e2e.conftest import OpenPage, assert_accessible, shoot
from tests.e2e.file_part import assert_labelled, begin, best, choose, downloaded, finish, write_csv
from tests.e2e.page_stack import PageStack
from tests.table_cases import CASES, REFUSED, TableCase

HOSTILE_CELLS = ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", '<b onclick="1">bold</b>', "-5", "plain")
READ_CASE = """async ({ suffix, content, options }) => {
  const { prepared } = await import("/page/table-bytes.js");
  const { BadTable, cut, dialectOf, formatOf, rowsOf } = await import("/page/tables.js");
  const file = new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], `table${suffix}`);
  try {
    const { blob, notes } = await prepared(file, options);
    const told = { delimiter: options.delimiter, quotes: options.quotes !== "text" };
    const { dialect, notes: more } = await dialectOf(blob, formatOf(file.name), told);
    const table = await cut(blob, dialect, { mostRows: 2, mostBytes: 1e6 });
    const rows = [];
    for (const window of table.windows) rows.push(...(await rowsOf(blob, window, dialect, table.columns)));
    const noted = [...notes, ...more, ...table.notes].join("; ");
    return { rows: rows.map((row) => [row.post, row.tags]), odd: table.odd.map((one) => one.line), noted };
  } catch (error) {
    if (!(error instanceof BadTable)) throw error;
    return { refused: error.message };
  }
}"""
FORGET_FILE = """() => new Promise((resolve) => {
  indexedDB.open("retort").onsuccess = (event) => {
    const change = event.target.result.transaction("file", "readwrite");
    change.objectStore("file").clear();
    change.oncomplete = resolve;
  };
})"""


def test_a_table_comes_back_with_its_labels(stack: PageStack, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(stack, "file")
    texts = write_csv(tmp_path / "questions.csv", 2500)
    choose(page, tmp_path / "questions.csv")
    expect(page.get_by_role("radio", name="text")).to_be_checked()
    shoot(page, "file-setup")
    assert_accessible(page)
    page.get_by_role("button", name="Label 2,500 rows").click()
    finish(page)
    first = page.locator(".rows tbody tr").first
    expect(first).to_contain_text(texts[0])
    expect(first).to_contain_text(best(texts[0]))
    assert_labelled(page, texts)
    assert stack.predicted() == 2500
    shoot(page, "file-done")
    assert_accessible(page)


def test_rows_are_filtered_by_label_and_score(stack: PageStack, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page(stack, "file")
    texts = write_csv(tmp_path / "questions.csv", 400)
    begin(page, tmp_path / "questions.csv", 400)
    finish(page)
    java = [text for text in texts if best(text) == "java"]
    page.locator(".chart button", has_text="java").click()
    expect(page.locator(".pager")).to_contain_text(f"of {len(java)} that fit")
    sure = [text for text in java if round(scores(text)["java"], 6) >= 0.6]
    page.get_by_role("spinbutton").first.fill("60")
    page.keyboard.press("Tab")
    expect(page.locator(".pager")).to_contain_text(f"of {len(sure)} that fit")
    assert [row["text"] for row in downloaded(page, "Download these rows")] == sure


def test_what_is_hostile_stays_text_and_is_defused_on_the_way_out(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "hostile.csv"
    with file.open("w", newline="") as written:
        writer = csv.writer(written)
        writer.writerow(["text", '<i onmouseover="alert(1)">'])
        writer.writerows([(cell, cell) for cell in HOSTILE_CELLS])
    page = open_page(stack, "file")
    begin(page, file, len(HOSTILE_CELLS))
    finish(page)
    page.get_by_label("all columns").check()
    expect(page.locator(".rows tbody td.text")).to_have_text(list(HOSTILE_CELLS))
    assert page.locator(".rows b, .rows i").count() == 0
    defused = [row["text"] for row in downloaded(page)]
    assert defused == ["'=1+1", "'@SUM(A1)", "'+cmd|' /C calc'!A0", "'-2+3", HOSTILE_CELLS[4], "-5", "plain"]
    page.get_by_label("for spreadsheets").uncheck()
    assert [row["text"] for row in downloaded(page)] == list(HOSTILE_CELLS)


def test_labels_with_markup_stay_text_and_are_defused_too(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    labels = ("<b>bold</b>", "=1+1", "a|b")
    stack.worker.rule = AnswerRule(labels=labels)
    page = open_page(stack, "file")
    write_csv(tmp_path / "questions.csv", 60)
    begin(page, tmp_path / "questions.csv", 60)
    finish(page)
    assert set(page.locator(".chart button > span:first-child").all_text_contents()) == set(labels)
    assert page.locator(".run b").count() == 0
    assert {row["label"] for row in downloaded(page)} == {"<b>bold</b>", "'=1+1", "a|b"}


def test_a_rows_error_stands_in_its_row(stack: PageStack, open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": 12345678901234567890, "text": "one"},
        {"text": " "},
        {"text": 3},
        {"text": "x" * 60_000},
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"id": 5, "text": "last"}]))
    page = open_page(stack, "file", may_say=["422"])
    begin(page, file, 5)
    finish(page)
    errors = [row["error"] for row in downloaded(page)]
    assert errors == ["", "empty-text", "no-text", "refused", ""]
    assert downloaded(page)[0]["id"] == "12345678901234567890"
    page.get_by_label("only rows without a label").check()
    expect(page.locator(".rows tbody tr")).to_have_count(3)


def test_a_reload_in_the_middle_goes_on_and_sends_no_row_twice(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(stack, "file")
    texts = write_csv(tmp_path / "questions.csv", 6000)
    stack.worker.pause_s = 0.02
    begin(page, tmp_path / "questions.csv", 6000)
    stack.wait_for_predicted(1500)
    page.reload()
    stack.wait_for_predicted(2500)
    page.reload()
    finish(page)
    assert_labelled(page, texts)
    assert (stack.predicted(), stack.accepted_jobs()) == (6000, 6)


def test_a_file_that_the_browser_did_not_keep_is_asked_for_again(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(stack, "file")
    texts = write_csv(tmp_path / "questions.csv", 3000)
    stack.worker.pause_s = 0.02
    begin(page, tmp_path / "questions.csv", 3000)
    stack.wait_for_predicted(1200)
    page.evaluate(FORGET_FILE)
    page.reload()
    expect(page.get_by_text("Drop the same file here, and it goes on")).to_be_visible()
    write_csv(tmp_path / "another.csv", 3000)
    (tmp_path / "another.csv").write_text((tmp_path / "another.csv").read_text().replace("number 7,", "number 8,"))
    choose(page, tmp_path / "another.csv")
    expect(page.get_by_text("This is not the file")).to_be_visible()
    choose(page, tmp_path / "questions.csv")
    finish(page)
    assert_labelled(page, texts)
    assert stack.predicted() == 3000


def test_an_api_that_is_killed_and_comes_back_costs_no_row(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(stack, "file", may_say=["ERR_"])
    texts = write_csv(tmp_path / "questions.csv", 6000)
    stack.worker.pause_s = 0.02
    begin(page, tmp_path / "questions.csv", 6000)
    stack.wait_for_predicted(1500)
    stack.kill()
    expect(page.locator(".run")).to_contain_text("Trying again in")
    stack.start()
    finish(page)
    assert_labelled(page, texts)
    assert (stack.predicted(), stack.accepted_jobs()) == (6000, 6)


def test_a_cancelled_file_keeps_its_answers_and_can_go_on(
    stack: PageStack, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page(stack, "file")
    texts = write_csv(tmp_path / "questions.csv", 4000)
    stack.worker.pause_s = 0.02
    begin(page, tmp_path / "questions.csv", 4000)
    stack.wait_for_predicted(1200)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible()
    until(lambda: stack.open_jobs() == 0)
    page.get_by_role("button", name="Go on").click()
    finish(page)
    assert_labelled(page, texts)
    page.get_by_role("button", name="Another file").click()
    expect(page.get_by_text("Drop a file here")).to_be_visible()


def test_only_one_tab_works_on_a_file(
    stack: PageStack, open_page: OpenPage, context: BrowserContext, tmp_path: Path
) -> None:
    page = open_page(stack, "file")
    write_csv(tmp_path / "questions.csv", 3000)
    stack.worker.go.clear()
    begin(page, tmp_path / "questions.csv", 3000)
    until(lambda: stack.accepted_jobs() == 3)
    second = open_page(stack, "file")
    expect(second.get_by_text("Another tab works on this file")).to_be_visible()
    page.close()
    stack.worker.go.set()
    finish(second)
    assert stack.predicted() == 3000
    assert len(context.pages) == 1


def test_a_workbook_is_told_how_to_become_a_table(stack: PageStack, open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "book.xlsx").write_bytes(b"PK\3\4 and so on")
    page = open_page(stack, "file")
    choose(page, tmp_path / "book.xlsx")
    expect(page.get_by_role("alert")).to_contain_text("CSV UTF-8 (Comma delimited)")


def test_a_file_is_dropped_anywhere_on_the_page(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack)
    page.evaluate("customElements.whenDefined('file-view').then(() => true)")
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["text\\nhow do I sort\\n"], "questions.csv"));
          for (const kind of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    page.get_by_role("button", name="Label 1 row").click()
    finish(page)
    assert page.url.endswith("#file")


@pytest.mark.parametrize("cases", [CASES, REFUSED], ids=["read", "refused"])
def test_tables_are_read_as_training_and_the_command_line_read_them(
    stack: PageStack, open_page: OpenPage, cases: list[TableCase]
) -> None:
    page = open_page(stack, "file")
    for case in cases:
        content = base64.b64encode(case.content).decode()
        found = page.evaluate(READ_CASE, {"suffix": case.suffix, "content": content, "options": case.options})
        if cases is REFUSED:
            assert case.noted in found["refused"], case.name
        else:
            assert found.get("rows") == [list(pair) for pair in case.rows], case.name
            assert found["odd"] == case.odd_lines, case.name
            assert case.noted in found["noted"], case.name
