"""The parts of the page that show how the service is: its models, how it stands now, its jobs."""

from __future__ import annotations

from pathlib import Path

import httpx
from playwright.sync_api import expect

from contract.fleet import WorkerState, WorkerStatus
from harness.answering_worker import VERSION
from harness.redis_server import RedisServer
from tests.e2e.conftest import OpenPage, assert_accessible, classify, shoot
from tests.e2e.page_stack import PageStack

HOSTILE = "<img src=x onerror=\"document.title = 'taken over'\">"


def test_models_show_their_versions_and_two_of_them_are_compared(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack, "models")
    versions = page.get_by_role("table", name="versions of default")
    expect(versions.locator("tbody tr")).to_have_count(2)
    expect(versions.locator("tbody tr").first).to_contain_text("current")
    expect(versions.locator("tbody tr").first).to_contain_text("accuracy 0.7500")
    page.get_by_text("Compare two versions").click()
    expect(page.get_by_role("table", name="two versions compared").locator("tbody tr").first).to_contain_text("+0.2500")
    shoot(page, "models")


def test_a_report_is_shown_with_its_pictures_and_runs_nothing(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack, "models", may_say=["Blocked script execution"])
    page.get_by_role("button", name="report of 20260201t000000-000000").click()
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading")).to_have_text("How it went")
    assert report.get_by_role("heading").evaluate("(one) => getComputedStyle(one).color") == "rgb(0, 128, 0)"
    assert report.locator("img").evaluate("(one) => one.decode().then(() => one.naturalWidth)") == 40
    assert page.locator("iframe").get_attribute("sandbox") == ""
    assert report.locator("html").evaluate("() => self.origin") == "null"


def test_the_service_is_drawn_while_one_watches(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack, "now")
    expect(page.get_by_text("worker is ready")).to_be_visible()
    stack.worker.go.clear()
    page.evaluate(
        """() => fetch("/predict", {method: "POST", headers: {"Content-Type": "application/json", Prefer: "wait=0"},
                                    body: JSON.stringify({texts: Array(500).fill("a text")})})"""
    )
    lane = page.get_by_role("table", name="what waits").locator("tr", has_text="bulk")
    expect(lane).to_contain_text("500")
    expect(lane).to_contain_text("500 ms")  # at the 1,000 texts a second that the worker says
    stack.worker.go.set()
    expect(lane).not_to_contain_text("500")
    expect(page.locator("path.under")).to_have_count(1)
    shoot(page, "now")


def test_without_a_worker_the_page_says_so(redis_server: RedisServer, tmp_path: Path, open_page: OpenPage) -> None:
    stack = PageStack(redis_server, tmp_path / "api.log", tmp_path)
    page = open_page(stack, "now")
    expect(page.get_by_text("No worker lives.")).to_be_visible()
    expect(page.locator("service-state")).to_contain_text("no worker is ready")
    stack.close()


def test_recent_jobs_are_listed_cancelled_and_deleted(stack: PageStack, open_page: OpenPage) -> None:
    page = open_page(stack, may_say=["410"])  # what becomes of the cancelled one
    classify(page, "a text")
    stack.worker.go.clear()
    page.get_by_role("textbox", name="Texts").fill("another text")
    page.get_by_role("button", name="Classify").click()
    page.get_by_role("link", name="Jobs").click()
    rows = page.get_by_role("table", name="recent jobs").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("succeeded")
    rows.first.get_by_role("button", name="Cancel").click()
    expect(rows.first).to_contain_text("cancelled")
    rows.nth(1).get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    shoot(page, "jobs")


def send(stack: PageStack, *texts: str) -> str:
    """The new job's id."""
    answer = httpx.post(f"{stack.url}/predict", json={"texts": texts}, headers={"Prefer": "wait=0"})
    return str(answer.json()["id"])


def test_older_jobs_are_a_page_further_and_newer_ones_a_page_back(stack: PageStack, open_page: OpenPage) -> None:
    newest_first = [send(stack, f"text {number}") for number in range(45)][::-1]
    page = open_page(stack, "jobs")
    newer, older = (page.get_by_role("button", name=name) for name in ("Newer", "Older"))
    shown = page.get_by_role("table", name="recent jobs").locator("tbody tr code")
    pages = [newest_first[:20], newest_first[20:40], newest_first[40:]]
    expect(shown).to_have_text(pages[0])
    expect(newer).to_be_disabled()
    for jobs in pages[1:]:
        older.click()
        expect(shown).to_have_text(jobs)
    expect(older).to_be_disabled()
    for jobs in pages[-2::-1]:
        newer.click()
        expect(shown).to_have_text(jobs)
    expect(newer).to_be_disabled()


def test_now_counts_what_no_worker_could_do(stack: PageStack, open_page: OpenPage) -> None:
    stack.worker.go.clear()
    page = open_page(stack, "now")
    dead, failed = (page.locator(".facts li", has_text=words) for words in ("dead letters", "jobs failed or expired"))
    expect(dead.locator("strong")).to_have_text("0")
    for number in range(2):
        stack.give_up(send(stack, f"text {number}"))
    expect(dead.locator("strong")).to_have_text("2")
    expect(failed.locator("strong")).to_have_text("2")
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("table", name="recent jobs").locator("tbody .mark.bad")).to_have_text(["failed", "failed"])
    stack.worker.go.set()


def test_now_says_which_version_a_worker_refused_and_why(stack: PageStack, open_page: OpenPage) -> None:
    why = f"golden text {HOSTILE}: a probability differs by 0.2 from the trainer's"
    stack.beat(
        WorkerStatus(
            id="other", host="h", pid=2, state=WorkerState.READY, device="cpu", model="default", version=VERSION,
            refused={"20260301t000000-000000": why},
        )
    )  # fmt: skip
    page = open_page(stack, "now")
    refused = page.get_by_role("table", name="refused versions")
    expect(refused.locator("tbody tr")).to_have_count(1)
    for said in ("default 20260301t000000-000000", "other", why):
        expect(refused).to_contain_text(said)
    assert page.title() == "Retort"
    assert_accessible(page)
