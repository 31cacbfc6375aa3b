"""A real Chromium in front of a real API. Where there is no browser these tests are skipped, but never in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from contract.artifact import MANIFEST, Manifest, read_manifest, sha256
from harness.redis_server import RedisServer
from harness.tiny_artifact import write_tiny_artifact
from tests.e2e.page_stack import PageStack

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", "run/screenshots"))
NAMES = ("chromium", "chromium-browser", "google-chrome")
OpenPage = Callable[..., Page]
VERSIONS = ("20260101t000000-000000", "20260201t000000-000000")
REPORT = """<!doctype html><title>report</title><style>h1 { color: rgb(0, 128, 0) }</style>
<h1>How it went</h1><img src="learning.svg" alt="Learning curves">
<script>document.querySelector("h1").textContent = "a script has run"</script>"""
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'


# Chromium's own sandbox needs rights that root in a container has not.
ARGUMENTS = ["--no-sandbox"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = f"no browser: install one of {', '.join(NAMES)}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Playwright's own event loop runs for as long as this: the next module may start one of its own."""
    arguments = [*ARGUMENTS, "--enable-precise-memory-info"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of the default model, each with a report that would like to run a script."""
    folder = tmp_path_factory.mktemp("models")
    for version in VERSIONS:
        artifact = write_tiny_artifact(folder, name="default", version=version)
        (artifact / "report").mkdir()
        (artifact / "report" / "index.html").write_text(REPORT)
        (artifact / "report" / "learning.svg").write_text(PICTURE)
        found = read_manifest(artifact).model_dump()
        files = found["files"] | {
            name: sha256(artifact / name) for name in ("report/index.html", "report/learning.svg")
        }
        metrics = {"accuracy": 0.5 + 0.25 * (version == VERSIONS[1])}
        manifest = Manifest.model_validate(found | {"files": files, "metrics": metrics})
        (artifact / MANIFEST).write_text(manifest.model_dump_json())
    return folder


@pytest.fixture(scope="module")
def lasting_stack(
    redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, models: Path
) -> Iterator[PageStack]:
    """Its API takes seconds to start, and is started once."""
    stack = PageStack(redis_server, tmp_path_factory.mktemp("api") / "api.log", models)
    yield stack
    stack.close()


@pytest.fixture
def stack(lasting_stack: PageStack) -> Iterator[PageStack]:
    """The service, with a worker that answers at once."""
    with lasting_stack.serving() as stack:
        yield stack


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser of its own, that asks nobody but this machine."""
    context = browser.new_context(accept_downloads=True, viewport={"width": 1200, "height": 800})
    yield context
    context.close()


expect.set_options(timeout=60_000)  # the usual five seconds are not enough on a busy machine


@pytest.fixture
def open_page(context: BrowserContext) -> Iterator[OpenPage]:
    """Opens the page at a part of it; in the end nothing may stand in the console but what was foreseen."""
    said: list[str] = []
    foreseen: list[str] = []
    elsewhere: list[str] = []

    def open_at(stack: PageStack, part: str = "try", *, may_say: Sequence[str] = ()) -> Page:
        foreseen.extend(may_say)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on(
            "console",
            lambda message: (
                said.append(f"{message.text} ({message.location['url']})")
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda asked: None if asked.url.startswith((stack.url, "blob:")) else elsewhere.append(asked.url)
        )
        page.goto(f"{stack.url}/#{part}")
        return page

    yield open_at
    assert [text for text in said if not any(words in text for words in foreseen)] == []
    assert elsewhere == []


def classify(page: Page, *texts: str) -> None:
    """Ask for the texts and wait for all their answers."""
    page.get_by_role("textbox", name="Texts").fill("\n".join(texts))
    page.get_by_role("button", name="Classify").click()
    expect(page.locator(".results > li")).to_have_count(len(texts))


def shoot(page: Page, name: str) -> None:
    """Keep a picture of the whole page."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def assert_accessible(page: Page) -> None:
    """What axe finds is listed with where it is."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
